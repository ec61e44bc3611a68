use std::sync::Arc;

use http::Uri;

use super::gate::Gate;
use super::service::Gates;
use crate::attached::Attached;

/// Shows how concurrency limits stand. It sees those of every service that a layer makes which it was
/// [given to](super::ConcurrencyLayer::handle); clones are the same handle.
#[derive(Clone, Debug, Default)]
pub struct ConcurrencyHandle {
    attached: Attached<Gates>,
}

/// How one concurrency limit stands at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Occupancy {
    /// How many more calls may be under way.
    pub available: u32,
    /// How many calls wait.
    pub waiting: usize,
    /// How many calls were refused since the limit was made.
    pub refused: u64,
}

impl ConcurrencyHandle {
    /// A handle that sees nothing until it is given to a layer.
    pub fn new() -> Self {
        Self::default()
    }

    /// The limit of the endpoint that a URI names, if it was called lately; where one limit is for all
    /// calls, that one. With keys of your own there is none.
    pub fn snapshot(&self, uri: &Uri) -> Option<Occupancy> {
        let all = self.attached.all();
        let gate = all.iter().find_map(|gates| gates.table.find(uri))?;
        Some(Occupancy::of(&gate))
    }

    /// All limits, in no order; whose each is, they do not say.
    pub fn snapshots(&self) -> Vec<Occupancy> {
        let all = self.attached.all();
        let all = all.iter().flat_map(|gates| gates.table.all());
        all.map(|gate| Occupancy::of(&gate)).collect()
    }

    pub(super) fn attach(&self, gates: &Arc<Gates>) {
        self.attached.attach(gates);
    }
}

impl Occupancy {
    fn of(gate: &Gate) -> Self {
        let reading = gate.read();
        Self {
            available: reading.available,
            waiting: reading.waiting,
            refused: reading.refused,
        }
    }
}
