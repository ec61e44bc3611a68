use outrigger_core::Deadline;
use tokio::time::Instant;

use crate::Timeouts;
use crate::limit::Limit;

/// How long the parts of one attempt may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) attempt: Limit,
    pub(super) body_idle: Limit,
    pub(super) write_idle: Limit,
    pub(super) shortest: Limit,
}

impl Limits {
    /// Whether too little is left of the deadline at `now` for an attempt to begin.
    #[inline]
    pub(super) fn leave_none(&self, deadline: Deadline, now: Instant) -> bool {
        let left = deadline.remaining(now);
        left.is_zero() || Limit::new(left) < self.shortest
    }

    /// Whether it matters how far a request body has got.
    #[inline]
    pub(super) fn watch_upload(&self) -> bool {
        !self.attempt.min(self.write_idle).is_none()
    }

    /// The same limits with those that the caller set for this call.
    #[cold]
    pub(super) fn overridden(&self, by: &Timeouts) -> Self {
        Self {
            attempt: by.attempt.map_or(self.attempt, Limit::new),
            body_idle: by.body_idle.map_or(self.body_idle, Limit::new),
            write_idle: by.write_idle.map_or(self.write_idle, Limit::new),
            shortest: self.shortest,
        }
    }
}
