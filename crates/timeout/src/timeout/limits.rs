use std::time::Duration;

use crate::Timeouts;

/// How long the parts of one attempt may take; [`Duration::MAX`] is no limit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) attempt: Duration,
    pub(super) body_idle: Duration,
    pub(super) write_idle: Duration,
    pub(super) shortest: Duration,
}

impl Limits {
    /// The same limits with those that the caller set for this call.
    pub(super) fn overridden(mut self, timeouts: Option<&Timeouts>) -> Self {
        if let Some(timeouts) = timeouts {
            self.attempt = timeouts.attempt.unwrap_or(self.attempt);
            self.body_idle = timeouts.body_idle.unwrap_or(self.body_idle);
            self.write_idle = timeouts.write_idle.unwrap_or(self.write_idle);
        }
        self
    }
}
