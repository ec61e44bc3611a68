use std::sync::Arc;

use super::state::Shared;

/// One response future under way; dropped without an answer it was cancelled.
#[derive(Debug)]
pub(super) struct Flight {
    shared: Option<Arc<Shared>>,
}

impl Flight {
    pub(super) fn new(shared: &Arc<Shared>) -> Self {
        let mut state = shared.lock();
        state.counts.calls += 1;
        state.counts.in_flight += 1;
        drop(state);
        Self {
            shared: Some(Arc::clone(shared)),
        }
    }

    /// Says whether the future has answered already.
    pub(super) fn is_over(&self) -> bool {
        self.shared.is_none()
    }

    /// The future has answered.
    pub(super) fn finish(&mut self) {
        if let Some(shared) = self.shared.take() {
            let mut state = shared.lock();
            state.counts.in_flight -= 1;
            state.counts.completed += 1;
        }
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        if let Some(shared) = self.shared.take() {
            let mut state = shared.lock();
            state.counts.in_flight -= 1;
            state.counts.dropped += 1;
        }
    }
}
