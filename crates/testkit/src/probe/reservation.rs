use std::sync::Arc;

use super::state::Shared;

/// The readiness one instance holds; dropped without a call it was abandoned.
#[derive(Debug)]
pub(super) struct Reservation {
    shared: Option<Arc<Shared>>,
}

impl Reservation {
    pub(super) fn new(shared: &Arc<Shared>) -> Self {
        shared.lock().counts.reserved += 1;
        Self {
            shared: Some(Arc::clone(shared)),
        }
    }

    /// The readiness is spent on a call.
    pub(super) fn finish(mut self) {
        if let Some(shared) = self.shared.take() {
            shared.lock().counts.reserved -= 1;
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if let Some(shared) = self.shared.take() {
            let mut state = shared.lock();
            state.counts.reserved -= 1;
            state.counts.abandoned += 1;
        }
    }
}
