use outrigger::Layers;
use outrigger::breaker::Trip;
use outrigger::rate_limit::RateLimitLayer;
use outrigger::retry::Exponential;
use outrigger::timeout::{DeadlineLayer, TimeoutLayer};

use super::{Key, Options};

impl Options {
    /// The default stack as these options want it.
    pub(crate) fn layers(&self) -> Layers {
        let mut layers = Layers::default();
        layers.idempotency = layers
            .idempotency
            .enabled(!matches!(self.idempotency_key, Key::None))
            .server_honours(self.server_honours_key);
        layers.deadline = DeadlineLayer::new(self.timeout.0);
        layers.retry = layers
            .retry
            .attempts(if self.no_retry { 1 } else { self.attempts });
        if let Some(backoff) = self.backoff {
            let pauses = Exponential::new(backoff.base.0, backoff.cap.0);
            layers.retry = layers.retry.pauses(pauses.clone()).throttled_pauses(pauses);
        }
        layers.breaker = layers.breaker.enabled(!self.no_breaker);
        if let Some(failures) = self.breaker_failures {
            layers.breaker = layers.breaker.trip(Trip::consecutive(failures.get()));
        }
        if let Some(rate) = self.rate {
            // The deadline bounds the wait and --concurrency the line: a command is not told to hurry.
            let quota = rate.quota(self.burst);
            layers.rate_limit = RateLimitLayer::new(quota)
                .wait(self.timeout.0)
                .queue(usize::MAX)
                .enabled(!self.no_rate_limit);
        }
        layers.timeout = TimeoutLayer::new(self.attempt_timeout.0)
            .body_idle(self.body_idle.0)
            .write_idle(self.write_idle.0);
        layers
    }
}
