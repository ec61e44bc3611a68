use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::keeper::Keeper;
use crate::kernel::Key;

/// A call's place on a connection; given back when dropped.
pub(crate) struct Permit {
    keeper: Arc<dyn Keeper>,
    key: Key,
    complete: AtomicBool,
}

impl Permit {
    pub(crate) fn new(keeper: Arc<dyn Keeper>, key: Key) -> Self {
        Self {
            keeper,
            key,
            complete: AtomicBool::new(false),
        }
    }

    /// The answer was read to its end: an HTTP/1 connection may carry another call.
    pub(crate) fn complete(&self) {
        self.complete.store(true, Ordering::Relaxed);
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.keeper.released(self.key, *self.complete.get_mut());
    }
}
