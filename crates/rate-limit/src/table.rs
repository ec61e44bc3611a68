use std::fmt;
use std::sync::Arc;

use http::request::Parts;
use http::{Request, Uri};
use outrigger_core::{Keyed, Spare};
use tokio::time::Instant;

/// A key that calls have in common, read off their heads.
pub(crate) type KeyOf = Arc<dyn Fn(&Parts) -> Vec<u8> + Send + Sync>;

/// Who shares a limit with whom, as it is asked for.
#[derive(Clone, Default)]
pub(crate) enum Sharing {
    #[default]
    Endpoint,
    Key(KeyOf),
    All,
}

/// The limits of all keys.
pub(crate) enum Table<T> {
    Endpoints(Keyed<T>),
    Keys(Keyed<T>, KeyOf),
    Shared(Arc<T>),
}

impl<T: Spare> Table<T> {
    /// At most `cap` limits; a shared one is `fresh`.
    pub(crate) fn new(sharing: &Sharing, cap: usize, fresh: impl FnOnce() -> T) -> Self {
        match sharing {
            Sharing::Endpoint => Self::Endpoints(Keyed::new(cap)),
            Sharing::Key(key) => Self::Keys(Keyed::new(cap), Arc::clone(key)),
            Sharing::All => Self::Shared(Arc::new(fresh())),
        }
    }

    /// The limit of a request that is still whole, where it need not be looked for any further.
    #[inline]
    pub(crate) fn known<B>(&self, request: &Request<B>) -> Option<Arc<T>> {
        match self {
            Self::Shared(limit) => Some(Arc::clone(limit)),
            Self::Endpoints(table) => table.known(request.uri()),
            Self::Keys(..) => None,
        }
    }

    /// The limit of a head.
    pub(crate) fn of_head(&self, head: &Parts, fresh: impl FnOnce() -> T) -> Arc<T> {
        match self {
            Self::Shared(limit) => Arc::clone(limit),
            Self::Endpoints(table) => table.at(&head.uri, Instant::now, fresh),
            Self::Keys(table, key) => table.get_or_insert(&key(head), Instant::now, fresh),
        }
    }

    /// The limit of a URI's endpoint, if there is one.
    pub(crate) fn find(&self, uri: &Uri) -> Option<Arc<T>> {
        match self {
            Self::Shared(limit) => Some(Arc::clone(limit)),
            Self::Endpoints(table) => table.find(uri),
            Self::Keys(..) => None,
        }
    }

    /// All limits, in no order.
    pub(crate) fn all(&self) -> Vec<Arc<T>> {
        match self {
            Self::Shared(limit) => vec![Arc::clone(limit)],
            Self::Endpoints(table) | Self::Keys(table, _) => table.values(),
        }
    }
}

impl Sharing {
    /// By the key that a function of the user reads off a head.
    pub(crate) fn by<K: Into<Vec<u8>>>(key: impl Fn(&Parts) -> K + Send + Sync + 'static) -> Self {
        Self::Key(Arc::new(move |head| key(head).into()))
    }
}

impl fmt::Debug for Sharing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Endpoint => "Endpoint",
            Self::Key(_) => "Key",
            Self::All => "All",
        })
    }
}

impl<T> fmt::Debug for Table<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Endpoints(_) => "Endpoints",
            Self::Keys(..) => "Keys",
            Self::Shared(_) => "Shared",
        })
    }
}
