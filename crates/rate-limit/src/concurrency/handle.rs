use std::sync::Arc;

use http::Uri;

use super::gate::Gate;
use super::service::Gates;

/// Shows how the concurrency limits of a service stand. Clones show the same.
#[derive(Clone, Debug)]
pub struct ConcurrencyHandle {
    gates: Option<Arc<Gates>>,
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
    pub(super) fn new(gates: Option<Arc<Gates>>) -> Self {
        Self { gates }
    }

    /// The limit of the endpoint that a URI names, if it was called lately; with one limit for all
    /// calls, that one. With keys of your own there is none.
    pub fn snapshot(&self, uri: &Uri) -> Option<Occupancy> {
        let gate = self.gates.as_ref()?.table.find(uri)?;
        Some(Occupancy::of(&gate))
    }

    /// All limits, in no order.
    pub fn snapshots(&self) -> Vec<Occupancy> {
        let all = self.gates.as_ref().map(|gates| gates.table.all());
        let all = all.unwrap_or_default().into_iter();
        all.map(|gate| Occupancy::of(&gate)).collect()
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
