use std::sync::Arc;

use crate::State;
use crate::circuit::Counts;

/// What a circuit is and knows at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    circuit: Arc<str>,
    state: State,
    openings: u32,
    counts: Counts,
}

impl Snapshot {
    pub(crate) fn new(circuit: Arc<str>, state: State, openings: u32, counts: Counts) -> Self {
        Self {
            circuit,
            state,
            openings,
            counts,
        }
    }

    /// Whose circuit it is: `scheme://host:port` of an endpoint, or the key.
    pub fn circuit(&self) -> &str {
        &self.circuit
    }

    /// What it does with calls. An open circuit is half-open from its first call after the open time on.
    pub fn state(&self) -> State {
        self.state
    }

    /// How often in a row it has opened; 0 again once it stayed closed for as long as it is open at
    /// most.
    pub fn openings(&self) -> u32 {
        self.openings
    }

    /// Calls that were judged within the window, in this state; what a ramp has counted goes on into the
    /// closed state after it.
    pub fn calls(&self) -> u64 {
        self.counts.calls
    }

    /// How many of them failed.
    pub fn failures(&self) -> u64 {
        self.counts.failures
    }

    /// How many of them were slow.
    pub fn slow(&self) -> u64 {
        self.counts.slow
    }
}
