use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use outrigger_core::{BoxError, Elapsed, Outcome, Phase, Rejected, find};
use tokio::time::Instant;

use crate::{Attempt, ErrorKind, retried};

/// Why a call has no answer, or an answer no end.
///
/// It is read off the `source()` chain once, by type and never by string, and keeps that chain whole
/// for whoever looks further. Neither its text nor its `Debug` shows a path, a query, a header or a
/// body of the request.
///
/// ```
/// use std::time::Duration;
/// use outrigger::{Elapsed, Error, ErrorKind, Outcome, Phase};
///
/// let error = Error::from(outrigger::BoxError::from(Elapsed::new(Phase::Connect, Duration::from_secs(3))));
/// assert_eq!(error.kind(), ErrorKind::Timeout);
/// assert_eq!(error.outcome(), Outcome::Unsent);
/// assert!(error.is_timeout() && error.is_connect());
/// assert_eq!(error.to_string(), "timed out");
/// ```
pub struct Error(Box<Inner>);

/// On the heap, so that an `Err` does not make every `Ok` wider.
struct Inner {
    kind: ErrorKind,
    outcome: Outcome,
    attempts: Vec<Attempt>,
    source: BoxError,
}

impl Error {
    /// The kind of failure.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// What became of the last attempt; `Unsent` when there was none.
    pub fn outcome(&self) -> Outcome {
        self.0.outcome
    }

    /// The attempts that were made, oldest first. A local refusal is none.
    pub fn attempts(&self) -> &[Attempt] {
        &self.0.attempts
    }

    /// The earliest instant at which a call that was refused locally may be let through, where that
    /// is known.
    pub fn retry_at(&self) -> Option<Instant> {
        self.find::<Rejected>().and_then(Rejected::retry_at)
    }

    /// Whether a limit of time passed, whichever.
    pub fn is_timeout(&self) -> bool {
        self.0.kind == ErrorKind::Timeout
    }

    /// Whether no connection could be made, be it for lack of time.
    pub fn is_connect(&self) -> bool {
        self.0.kind == ErrorKind::Connect || self.phase() == Some(Phase::Connect)
    }

    /// Whether a layer of ours refused the call, so that nothing was sent.
    pub fn is_rejected(&self) -> bool {
        self.0.kind == ErrorKind::Rejected
    }

    /// The part of the call whose limit passed, for a timeout.
    pub fn phase(&self) -> Option<Phase> {
        self.find::<Elapsed>().map(Elapsed::phase)
    }

    fn find<E: StdError + 'static>(&self) -> Option<&E> {
        find(&*self.0.source)
    }
}

impl From<BoxError> for Error {
    /// Reads what an error means. An [`Error`] in the box comes out as it is.
    fn from(source: BoxError) -> Self {
        match source.downcast::<Self>() {
            Ok(error) => *error,
            Err(source) => {
                let (kind, outcome) = ErrorKind::of(&*source);
                let attempts = retried::attempts(&*source).unwrap_or_else(|| match kind {
                    ErrorKind::Rejected => Vec::new(),
                    _ => vec![Attempt::new(outcome, Duration::ZERO)],
                });
                Self(Box::new(Inner {
                    kind,
                    outcome,
                    attempts,
                    source,
                }))
            }
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.kind.fmt(f)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("outcome", &self.0.outcome)
            .field("attempts", &self.0.attempts)
            .field("source", &self.0.source)
            .finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&*self.0.source)
    }
}
