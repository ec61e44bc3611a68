use std::error::Error;
use std::{io, iter};

use http::StatusCode;

use crate::{Elapsed, Failure, Rejected, transport};

/// What became of one attempt.
///
/// Only the first two prove that the server did nothing, so that any method may be sent again
/// (RFC 9110 §9.2.2, RFC 9113 §8.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Nothing was sent: name resolution, connection, TLS handshake or the pool failed.
    Unsent,
    /// Sent, and the peer said that it did not process it: `REFUSED_STREAM`, a `GOAWAY` whose last
    /// stream is an earlier one, 421.
    Unprocessed,
    /// Perhaps processed: a reset, an end of the connection or a timeout after dispatch.
    Ambiguous,
    /// Answered with this status.
    Answered(StatusCode),
}

/// Whose doing a failure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Blame {
    /// The peer or the network on the way to it.
    Peer,
    /// Ourselves: a limit or a refusal of our own.
    Us,
    /// The caller: a bad URI, a failing request body, too short a deadline.
    Caller,
}

/// What an error means for whoever must decide what to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Fault {
    /// What became of the attempt.
    pub outcome: Outcome,
    /// Whose doing it is.
    pub blame: Blame,
    /// `false` where trying again cannot help, whatever the outcome.
    pub retry: bool,
}

impl Fault {
    /// A fault of the peer that may be tried again as far as `outcome` allows.
    pub const fn new(outcome: Outcome) -> Self {
        Self {
            outcome,
            blame: Blame::Peer,
            retry: true,
        }
    }

    /// The same fault, blamed on someone else.
    #[must_use]
    pub const fn blame(mut self, blame: Blame) -> Self {
        self.blame = blame;
        self
    }

    /// The same fault, final: trying again cannot help.
    #[must_use]
    pub const fn without_retry(mut self) -> Self {
        self.retry = false;
        self
    }

    /// Reads the fault of an error along its `source()` chain.
    ///
    /// The outermost [`Failure`], [`Elapsed`] or [`Rejected`] speaks for the whole; with the feature
    /// `hyper`, errors of hyper and h2 do too. An unknown error is `Ambiguous`, the peer's, and may
    /// be tried again as far as that allows.
    ///
    /// ```
    /// use outrigger_core::{Failure, Fault, Outcome};
    ///
    /// let refused = Failure::new("connection refused", Fault::new(Outcome::Unsent));
    /// let wrapped = std::io::Error::other(refused);
    /// assert_eq!(Fault::of(&wrapped).outcome, Outcome::Unsent);
    /// assert_eq!(Fault::of(&std::fmt::Error).outcome, Outcome::Ambiguous);
    /// ```
    pub fn of(error: &(dyn Error + 'static)) -> Self {
        chain(error)
            .find_map(Self::said_by)
            .unwrap_or(Self::new(Outcome::Ambiguous))
    }

    /// The fault that this one error states, its sources left aside.
    fn said_by(error: &(dyn Error + 'static)) -> Option<Self> {
        if let Some(failure) = error.downcast_ref::<Failure>() {
            return Some(failure.fault());
        }
        if let Some(elapsed) = error.downcast_ref::<Elapsed>() {
            return Some(elapsed.fault());
        }
        if error.is::<Rejected>() {
            return Some(Self::new(Outcome::Unsent).blame(Blame::Us).without_retry());
        }
        transport::fault(error)
    }
}

/// Finds the first error of type `E` along the `source()` chain of `error`, itself included.
///
/// ```
/// use outrigger_core::{Rejected, find};
///
/// let wrapped = std::io::Error::other(Rejected::new("limiter"));
/// assert_eq!(find::<Rejected>(&wrapped).map(|rejected| rejected.by()), Some("limiter"));
/// ```
pub fn find<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    chain(error).find_map(|error| error.downcast_ref::<E>())
}

/// The longest chain that is walked: an error that is its own source must not hang its reader.
const LONGEST_CHAIN: usize = 64;

/// `error` and its sources, outermost first.
///
/// `io::Error` hides the error it was made of from `source()` and shows only that one's source, so
/// it is looked into by name.
fn chain<'a>(
    error: &'a (dyn Error + 'static),
) -> impl Iterator<Item = &'a (dyn Error + 'static)> + 'a {
    iter::successors(Some(error), |error: &&'a (dyn Error + 'static)| {
        source_of(*error)
    })
    .take(LONGEST_CHAIN)
}

fn source_of<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    match error.downcast_ref::<io::Error>() {
        Some(io) => io.get_ref().map(|inner| inner as _),
        None => error.source(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Phase;

    #[test]
    fn the_outermost_word_wins() {
        let inner = Failure::new("reset", Fault::new(Outcome::Ambiguous));
        let outer = Failure::new("gave up", Fault::new(Outcome::Unprocessed)).with_source(inner);
        assert_eq!(Fault::of(&outer).outcome, Outcome::Unprocessed);
    }

    #[test]
    fn an_io_error_in_between_hides_nothing() {
        let elapsed = Elapsed::new(Phase::Connect, std::time::Duration::from_secs(3));
        let io = std::io::Error::new(std::io::ErrorKind::TimedOut, elapsed);
        assert_eq!(Fault::of(&io).outcome, Outcome::Unsent);
        assert!(find::<Elapsed>(&io).is_some());
    }

    #[test]
    fn a_rejection_is_ours_and_final() {
        let fault = Fault::of(&Rejected::new("breaker"));
        assert_eq!(
            (fault.outcome, fault.blame, fault.retry),
            (Outcome::Unsent, Blame::Us, false)
        );
    }

    #[test]
    fn an_error_that_is_its_own_source_ends() {
        #[derive(Debug)]
        struct Ouroboros;
        impl std::fmt::Display for Ouroboros {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("ouroboros")
            }
        }
        impl Error for Ouroboros {
            fn source(&self) -> Option<&(dyn Error + 'static)> {
                Some(&Ouroboros)
            }
        }
        assert_eq!(Fault::of(&Ouroboros).outcome, Outcome::Ambiguous);
    }
}
