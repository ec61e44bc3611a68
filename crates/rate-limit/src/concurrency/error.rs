use std::error::Error;
use std::fmt;

use outrigger_core::Rejected;

/// A refusal: as many calls as may be were under way, for longer than this one could wait, or too many
/// wait already.
///
/// Its `source()` is a [`Rejected`], from which other layers learn that nothing was sent. When there will
/// be room, nobody knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Saturated {
    limit: u32,
    rejected: Rejected,
}

impl Saturated {
    pub(super) fn new(limit: u32) -> Self {
        Self {
            limit,
            rejected: Rejected::new("concurrency limit"),
        }
    }

    /// The most calls that are under way at a time.
    pub fn limit(&self) -> u32 {
        self.limit
    }
}

impl fmt::Display for Saturated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "no more calls than {} may be under way at a time",
            self.limit
        )
    }
}

impl Error for Saturated {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.rejected)
    }
}
