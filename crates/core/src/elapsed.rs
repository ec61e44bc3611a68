use std::error::Error;
use std::fmt;
use std::time::Duration;

use crate::{Blame, Fault, Outcome};

/// The part of a call that a clock watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Phase {
    /// The whole call: waiting, attempts, pauses and, by option, the response body.
    Total,
    /// One attempt, from dispatch or the end of the request body to the response head.
    Attempt,
    /// A pause within the response body.
    BodyIdle,
    /// A pause within the request body, for which the transport takes no further frame.
    WriteIdle,
    /// Name resolution, connection and handshakes.
    Connect,
    /// The wait for a place on a connection.
    Acquire,
}

/// A limit of time that has passed: which one, and how long it was.
///
/// ```
/// use std::time::Duration;
/// use outrigger_core::{Elapsed, Outcome, Phase};
///
/// let elapsed = Elapsed::new(Phase::Attempt, Duration::from_secs(10));
/// assert_eq!(elapsed.to_string(), "attempt timed out after 10s");
/// assert_eq!(elapsed.fault().outcome, Outcome::Ambiguous);
/// assert_eq!(elapsed.unsent().fault().outcome, Outcome::Unsent);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Elapsed {
    phase: Phase,
    limit: Duration,
    sent: bool,
}

impl Elapsed {
    /// The limit of a phase has passed. `Connect` and `Acquire` come before dispatch, so nothing was
    /// sent; with the others the request may have been.
    pub const fn new(phase: Phase, limit: Duration) -> Self {
        let sent = !matches!(phase, Phase::Connect | Phase::Acquire);
        Self { phase, limit, sent }
    }

    /// The same, with the knowledge that nothing was sent.
    #[must_use]
    pub const fn unsent(mut self) -> Self {
        self.sent = false;
        self
    }

    /// The phase that took too long.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// How long it was allowed to take.
    pub fn limit(&self) -> Duration {
        self.limit
    }

    /// What it means: `Unsent` before dispatch, `Ambiguous` after. A passed deadline is the
    /// caller's and final; a full pool is ours; the rest is the peer's.
    pub fn fault(&self) -> Fault {
        let fault = Fault::new(if self.sent {
            Outcome::Ambiguous
        } else {
            Outcome::Unsent
        });
        match self.phase {
            Phase::Total => fault.blame(Blame::Caller).without_retry(),
            Phase::Acquire => fault.blame(Blame::Us),
            Phase::Attempt | Phase::BodyIdle | Phase::WriteIdle | Phase::Connect => fault,
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Total => "call",
            Self::Attempt => "attempt",
            Self::BodyIdle => "response body",
            Self::WriteIdle => "request body",
            Self::Connect => "connect",
            Self::Acquire => "acquiring a connection",
        })
    }
}

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} timed out after {:?}", self.phase, self.limit)
    }
}

impl Error for Elapsed {}
