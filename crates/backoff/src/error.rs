use std::error::Error;
use std::fmt;
use std::time::Duration;

use outrigger_core::Rejected;
use tokio::time::Instant;

/// A refusal: the endpoint fails, and its calls pause for longer than this one can wait, or as many as
/// may wait already.
///
/// Its `source()` is a [`Rejected`], from which other layers learn that nothing was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paused {
    wait: Duration,
    retry_at: Instant,
    /// Whether it could have waited, had there been a place.
    crowded: bool,
    rejected: Rejected,
}

impl Paused {
    pub(crate) fn new(now: Instant, retry_at: Instant) -> Self {
        Self {
            wait: retry_at.saturating_duration_since(now),
            retry_at,
            crowded: false,
            rejected: Rejected::new("backoff").with_retry_at(retry_at),
        }
    }

    /// The same, because too many calls wait already.
    pub(crate) fn crowded(now: Instant, retry_at: Instant) -> Self {
        let crowded = true;
        Self {
            crowded,
            ..Self::new(now, retry_at)
        }
    }

    /// The instant at which the call would have been let through.
    pub fn retry_at(&self) -> Instant {
        self.retry_at
    }
}

impl fmt::Display for Paused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "calls to the failing endpoint pause for {:?} more",
            self.wait
        )?;
        if self.crowded {
            f.write_str(", and no more of them may wait")?;
        }
        Ok(())
    }
}

impl Error for Paused {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.rejected)
    }
}
