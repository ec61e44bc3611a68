use std::error::Error;
use std::fmt;

use tokio::time::Instant;

/// Our own refusal: nothing was sent, no attempt was made, and the peer is not to blame.
///
/// A layer that refuses returns an error of its own with a `Rejected` as its `source()`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    by: &'static str,
    retry_at: Option<Instant>,
}

impl Rejected {
    /// A refusal by the layer of this name, with no word on when it ends.
    pub const fn new(by: &'static str) -> Self {
        Self { by, retry_at: None }
    }

    /// The same refusal with the earliest instant at which a call may be let through.
    #[must_use]
    pub const fn with_retry_at(mut self, retry_at: Instant) -> Self {
        self.retry_at = Some(retry_at);
        self
    }

    /// The name of the layer that refused.
    pub fn by(&self) -> &'static str {
        self.by
    }

    /// The earliest instant at which a call may be let through, where it is known.
    pub fn retry_at(&self) -> Option<Instant> {
        self.retry_at
    }
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rejected locally by the {}", self.by)
    }
}

impl Error for Rejected {}
