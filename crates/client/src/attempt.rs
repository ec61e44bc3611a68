use std::time::Duration;

use http::StatusCode;
use outrigger_core::Outcome;

/// One attempt of a call that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempt {
    outcome: Outcome,
    wait: Duration,
}

impl Attempt {
    pub(crate) const fn new(outcome: Outcome, wait: Duration) -> Self {
        Self { outcome, wait }
    }

    /// What became of it.
    pub fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// The status it was answered with, if it was.
    pub fn status(&self) -> Option<StatusCode> {
        match self.outcome {
            Outcome::Answered(status) => Some(status),
            _ => None,
        }
    }

    /// How long it was held back before it began.
    pub fn wait(&self) -> Duration {
        self.wait
    }
}
