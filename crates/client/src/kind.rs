use std::error::Error;
use std::fmt;

use outrigger_core::{Blame, Elapsed, Fault, Outcome, Rejected, find};

/// The kinds of failure that a caller tells apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// No connection carried the request: name resolution, TCP, TLS, a proxy.
    Connect,
    /// A limit of time passed. The connect limit counts here too.
    Timeout,
    /// We refused the call ourselves before anything was sent: a layer, or a pool whose queue is full.
    Rejected,
    /// The request itself: a URI that names no endpoint, a body that failed while it was read.
    Request,
    /// Answered with a status that was worth another attempt, which then could not be made.
    Status,
    /// The transport failed after the request was handed to a connection.
    Transport,
}

impl ErrorKind {
    /// Reads kind and outcome along the `source()` chain.
    pub(crate) fn of(error: &(dyn Error + 'static)) -> (Self, Outcome) {
        let fault = Fault::of(error);
        let kind = if let Outcome::Answered(_) = fault.outcome {
            Self::Status
        } else if find::<Elapsed>(error).is_some() {
            Self::Timeout
        } else if find::<Rejected>(error).is_some() || is_ours(fault) {
            Self::Rejected
        } else if fault.blame == Blame::Caller {
            Self::Request
        } else if fault.outcome == Outcome::Unsent {
            Self::Connect
        } else {
            Self::Transport
        };
        (kind, fault.outcome)
    }

    /// One lower-case word, for labels and reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Timeout => "timeout",
            Self::Rejected => "rejected",
            Self::Request => "request",
            Self::Status => "status",
            Self::Transport => "transport",
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connect => "could not connect",
            Self::Timeout => "timed out",
            Self::Rejected => "refused locally",
            Self::Request => "could not send the request",
            Self::Status => "not answered as hoped",
            Self::Transport => "transport failed",
        })
    }
}

/// Whether nothing was sent, and it is our own doing.
fn is_ours(fault: Fault) -> bool {
    fault.outcome == Outcome::Unsent && fault.blame == Blame::Us
}
