use std::error::Error;
use std::fmt;

use http::StatusCode;
use outrigger_core::{BoxError, Failure, Fault, Outcome};

use crate::Attempts;

/// More than one attempt was made, and the last one failed: its error is the `source()`.
///
/// A retry layer further out does not send such a call again.
#[derive(Debug)]
pub struct Exhausted {
    attempts: Attempts,
    source: BoxError,
}

impl Exhausted {
    pub(crate) fn new(attempts: Attempts, source: BoxError) -> Self {
        Self { attempts, source }
    }

    /// What became of each.
    pub fn attempts(&self) -> &Attempts {
        &self.attempts
    }
}

impl fmt::Display for Exhausted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.attempts.made() {
            1 => f.write_str("failed after 1 attempt"),
            made => write!(f, "failed after {made} attempts"),
        }
    }
}

impl Error for Exhausted {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.source)
    }
}

/// The server answered with a status that was worth another attempt, the answer was let go, and then
/// no attempt could be made. Along the `source()` stands what prevented it.
#[derive(Debug)]
pub struct RetryAborted {
    status: StatusCode,
    source: Failure,
}

impl RetryAborted {
    pub(crate) fn new(status: StatusCode, reason: BoxError) -> Self {
        let fault = Fault::new(Outcome::Answered(status)).without_retry();
        let source = Failure::new("no further attempt could be made", fault).with_source(reason);
        Self { status, source }
    }

    /// The status of the answer.
    pub fn status(&self) -> StatusCode {
        self.status
    }
}

impl fmt::Display for RetryAborted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "answered with status {}", self.status.as_u16())
    }
}

impl Error for RetryAborted {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.source)
    }
}
