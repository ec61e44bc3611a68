use std::sync::Arc;

use outrigger_core::{End, Settle, Tracked};

use super::gate::Gate;

/// The response body of [`ConcurrencyService`](super::ConcurrencyService): it keeps the call's permit
/// until it ends, fails or is dropped.
pub type ConcurrencyBody<B> = Tracked<B, Permit>;

/// The right of one call to be under way. Dropped, it goes to the first call that waits.
#[derive(Debug, Default)]
pub struct Permit(Option<Arc<Gate>>);

impl Permit {
    pub(super) fn new(gate: Arc<Gate>) -> Self {
        Self(Some(gate))
    }

    /// Of a layer that is switched off.
    pub(super) const fn none() -> Self {
        Self(None)
    }
}

impl Settle for Permit {
    fn settle(self, _: End<'_>) {}
}

impl Drop for Permit {
    #[inline]
    fn drop(&mut self) {
        if let Some(gate) = self.0.take() {
            give_back(gate);
        }
    }
}

/// Out of line, so that to drop what has given its permit away is one look.
#[inline(never)]
fn give_back(gate: Arc<Gate>) {
    gate.release();
}
