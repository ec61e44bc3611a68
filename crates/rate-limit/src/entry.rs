use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, Response, StatusCode};
use outrigger_core::Spare;
use tokio::time::Instant;

use crate::Quota;
use crate::advice::Advice;
use crate::limiter::{Bounds, Limiter};

/// What all limits of one service have in common.
#[derive(Debug)]
pub(crate) struct Rules {
    /// The beginning of the time that kernels are told.
    pub(crate) epoch: Instant,
    pub(crate) quota: Quota,
    /// The longest wait, in nanoseconds.
    pub(crate) patience: u64,
    /// The most calls that wait.
    pub(crate) room: usize,
    /// What answers may do; nothing when they are not heeded.
    pub(crate) feedback: Option<Bounds>,
}

/// The limit of one key, on the clock of its service.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) limiter: Limiter,
    pub(crate) rules: Arc<Rules>,
}

impl Entry {
    pub(crate) fn new(rules: &Arc<Rules>) -> Self {
        Self {
            limiter: Limiter::new(rules.quota),
            rules: Arc::clone(rules),
        }
    }

    /// The time, as kernels are told it.
    #[inline]
    pub(crate) fn now(&self) -> u64 {
        self.rules.told(Instant::now())
    }

    /// Learns from the answer to a call that went at `went`.
    #[inline]
    pub(crate) fn heed<R>(&self, response: &Response<R>, went: u64) {
        if let Some(bounds) = self.rules.feedback
            && Advice::may_be_in(response)
        {
            self.read(response.status(), response.headers(), went, bounds);
        }
    }

    #[cold]
    fn read(&self, status: StatusCode, headers: &HeaderMap, went: u64, bounds: Bounds) {
        if let Some(advice) = Advice::read(status, headers) {
            let die = fastrand::u64(..);
            self.limiter.heed(advice, self.now(), went, bounds, die);
        }
    }
}

impl Spare for Entry {
    fn is_spare(&self, now: Instant) -> bool {
        self.limiter.is_spare(self.rules.told(now))
    }
}

impl Rules {
    /// An instant in nanoseconds of the service's life, of which 584 years are told apart.
    #[inline]
    pub(crate) fn told(&self, instant: Instant) -> u64 {
        match instant.checked_duration_since(self.epoch) {
            Some(life) => u64::try_from(life.as_nanos()).unwrap_or(u64::MAX),
            None => 0,
        }
    }

    /// The instant of such a time.
    pub(crate) fn instant(&self, told: u64) -> Instant {
        let instant = self.epoch.checked_add(Duration::from_nanos(told));
        instant.unwrap_or(self.epoch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_of_an_endpoint_is_small() {
        assert!(size_of::<Entry>() <= 256, "{}", size_of::<Entry>());
    }
}
