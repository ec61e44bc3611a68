use std::sync::Arc;
use std::time::Duration;

use outrigger_core::Exponential;
use tower_layer::Layer;

use crate::BackoffService;
use crate::runs::{Limits, Runs};

/// Paces the calls to each endpoint that fails.
///
/// See the [crate's page](crate) for what counts as a failure.
#[derive(Clone, Debug)]
pub struct BackoffLayer {
    schedule: Exponential,
    max_wait: Duration,
    max_waiting: usize,
    endpoints: usize,
    enabled: bool,
}

impl BackoffLayer {
    /// The most endpoints that are told apart: 10,000. Beyond, those that do not fail make room; where
    /// none does, the rest share one run.
    pub const DEFAULT_ENDPOINTS: usize = 10_000;

    /// The most calls that wait for one endpoint at a time: 1,024.
    pub const DEFAULT_MAX_WAITING: usize = 1_024;

    /// Pauses by this schedule: its first pause after one failure, its second after two.
    pub fn new(schedule: Exponential) -> Self {
        Self {
            schedule,
            max_wait: Duration::MAX,
            max_waiting: Self::DEFAULT_MAX_WAITING,
            endpoints: Self::DEFAULT_ENDPOINTS,
            enabled: true,
        }
    }

    /// The longest that a call waits; one that would have to wait longer, or beyond its deadline, is
    /// refused at once. Default: [`Duration::MAX`], as long as it takes, which is no longer than the
    /// schedule's longest pause, or 66 s where the server asked for it. [`Duration::ZERO`] refuses
    /// every call that would have to wait.
    #[must_use]
    pub fn max_wait(mut self, max_wait: Duration) -> Self {
        self.max_wait = max_wait;
        self
    }

    /// The most calls that wait for one endpoint at a time; one more is refused at once. Default:
    /// [`DEFAULT_MAX_WAITING`](Self::DEFAULT_MAX_WAITING). With 0 every call that would have to wait is
    /// refused.
    #[must_use]
    pub fn max_waiting(mut self, max_waiting: usize) -> Self {
        self.max_waiting = max_waiting;
        self
    }

    /// The most endpoints that are told apart. Default:
    /// [`DEFAULT_ENDPOINTS`](Self::DEFAULT_ENDPOINTS); 0 counts as 1.
    #[must_use]
    pub fn endpoints(mut self, endpoints: usize) -> Self {
        self.endpoints = endpoints;
        self
    }

    /// Switches the layer on or off; off, it passes everything through. Default: `true`.
    #[must_use]
    pub fn enabled(mut self, enabled: bool) -> Self {
        self.enabled = enabled;
        self
    }
}

impl<S> Layer<S> for BackoffLayer {
    type Service = BackoffService<S>;

    fn layer(&self, inner: S) -> BackoffService<S> {
        let runs = || {
            let limits = Limits {
                max_wait: self.max_wait,
                max_waiting: self.max_waiting,
            };
            Arc::new(Runs::new(self.schedule.clone(), limits, self.endpoints))
        };
        BackoffService::new(inner, self.enabled.then(runs))
    }
}
