use std::sync::{Mutex, MutexGuard, PoisonError};

/// Which streams of a connection were executed, and whether it still executes any. Both are decided
/// under one lock, so that a GOAWAY never denies a stream that was executed.
#[derive(Default)]
pub(super) struct Ledger {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    highest_executed: u32,
    closed: bool,
}

impl Ledger {
    /// Says whether this stream may still be executed.
    pub(super) fn admits(&self, stream: u32) -> bool {
        let state = self.lock();
        !state.closed || stream <= state.highest_executed
    }

    /// Says whether this stream is executed, and if so remembers it.
    pub(super) fn execute(&self, stream: u32) -> bool {
        let mut state = self.lock();
        let admits = !state.closed || stream <= state.highest_executed;
        if admits {
            state.highest_executed = state.highest_executed.max(stream);
        }
        admits
    }

    /// Admits no further streams; returns the last one for the GOAWAY.
    pub(super) fn close(&self) -> u32 {
        let mut state = self.lock();
        state.closed = true;
        state.highest_executed
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
