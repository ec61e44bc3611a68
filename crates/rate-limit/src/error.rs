use std::error::Error;
use std::fmt;
use std::time::Duration;

use outrigger_core::Rejected;
use tokio::time::Instant;

/// A refusal: the quota is used up for longer than this call can wait, or too many wait already.
///
/// Its `source()` is a [`Rejected`], from which other layers learn that nothing was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limited {
    wait: Duration,
    retry_at: Instant,
    rejected: Rejected,
}

impl Limited {
    pub(crate) fn new(now: Instant, retry_at: Instant) -> Self {
        Self {
            wait: retry_at.saturating_duration_since(now),
            retry_at,
            rejected: Rejected::new("rate limit").with_retry_at(retry_at),
        }
    }

    /// The instant at which it would have been the call's turn.
    pub fn retry_at(&self) -> Instant {
        self.retry_at
    }
}

impl fmt::Display for Limited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the rate limit lets no call through for {:?}", self.wait)
    }
}

impl Error for Limited {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.rejected)
    }
}

/// A refusal: the call costs more than the whole burst, so its turn would never come.
///
/// Its `source()` is a [`Rejected`] without an instant: to try again cannot help.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NeverFits {
    cost: u32,
    burst: u32,
    rejected: Rejected,
}

impl NeverFits {
    pub(crate) fn new(cost: u32, burst: u32) -> Self {
        Self {
            cost,
            burst,
            rejected: Rejected::new("rate limit"),
        }
    }
}

impl fmt::Display for NeverFits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cost, burst, .. } = self;
        write!(f, "a call that costs {cost} never fits a burst of {burst}")
    }
}

impl Error for NeverFits {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.rejected)
    }
}
