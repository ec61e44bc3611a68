use std::sync::Arc;

use http::Uri;
use outrigger_core::{Endpoint, Keyed};
use tokio::time::Instant;

use crate::entry::{Entry, Shared};

/// The circuits of one layer's service, shared by its clones.
#[derive(Debug)]
pub(crate) struct Circuits {
    shared: Arc<Shared>,
    kept: Kept,
}

#[derive(Debug)]
enum Kept {
    One(Arc<Entry>),
    Many {
        table: Keyed<Entry>,
        by_endpoint: bool,
    },
}

/// What there is a circuit for each of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Per {
    Layer,
    Endpoint,
    Key,
}

impl Circuits {
    pub(crate) fn new(per: Per, shared: Shared, cap: usize) -> Self {
        let shared = Arc::new(shared);
        let kept = match per {
            Per::Layer => {
                let entry = Entry::new(Arc::from("shared"), Arc::clone(&shared));
                Kept::One(Arc::new(entry))
            }
            Per::Endpoint | Per::Key => Kept::Many {
                table: Keyed::new(cap),
                by_endpoint: per == Per::Endpoint,
            },
        };
        Self { shared, kept }
    }

    /// The circuit of a request to this URI, where it need not be looked for any further.
    #[inline]
    pub(crate) fn known(&self, uri: &Uri) -> Option<Arc<Entry>> {
        match &self.kept {
            Kept::One(entry) => Some(Arc::clone(entry)),
            Kept::Many { table, .. } => table.known(uri),
        }
    }

    /// The circuit of a request to this URI.
    pub(crate) fn at(&self, uri: &Uri) -> Arc<Entry> {
        match &self.kept {
            Kept::One(entry) => Arc::clone(entry),
            Kept::Many { table, .. } => table.at(uri, Instant::now, || self.entry(&name_of(uri))),
        }
    }

    /// The circuit of a request with this key.
    pub(crate) fn of(&self, key: &[u8]) -> Arc<Entry> {
        let fresh = || self.entry(&String::from_utf8_lossy(key));
        match &self.kept {
            Kept::One(entry) => Arc::clone(entry),
            Kept::Many { table, .. } => table.get_or_insert(key, Instant::now, fresh),
        }
    }

    /// The circuit of this name, if there is one.
    pub(crate) fn find(&self, name: &str) -> Option<Arc<Entry>> {
        match &self.kept {
            Kept::One(entry) => (**entry.name() == *name).then(|| Arc::clone(entry)),
            Kept::Many { table, by_endpoint } => match by_endpoint {
                true => table.find(&endpoint(name)?),
                false => table.get(name.as_bytes()),
            },
        }
    }

    /// The circuit of this name, made when there is none; `None` where none can have this name.
    pub(crate) fn find_or_insert(&self, name: &str) -> Option<Arc<Entry>> {
        match self.kept {
            Kept::One(_) => self.find(name),
            Kept::Many { by_endpoint, .. } => Some(match by_endpoint {
                true => self.at(&endpoint(name)?),
                false => self.of(name.as_bytes()),
            }),
        }
    }

    pub(crate) fn entries(&self) -> Vec<Arc<Entry>> {
        match &self.kept {
            Kept::One(entry) => vec![Arc::clone(entry)],
            Kept::Many { table, .. } => table.values(),
        }
    }

    fn entry(&self, name: &str) -> Entry {
        Entry::new(Arc::from(name), Arc::clone(&self.shared))
    }
}

/// A URI of the endpoint of this name.
fn endpoint(name: &str) -> Option<Uri> {
    let uri = name.parse().ok()?;
    Endpoint::of(&uri).is_ok().then_some(uri)
}

fn name_of(uri: &Uri) -> String {
    Endpoint::of(uri).map_or_else(
        |lacking| lacking.to_string(),
        |endpoint| endpoint.to_string(),
    )
}
