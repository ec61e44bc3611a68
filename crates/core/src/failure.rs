use std::error::Error;
use std::fmt;

use crate::{BoxError, Fault};

/// An error that says what it means: a [`Fault`], a few words, and the error it came from.
///
/// Any crate is understood by the layers when a `Failure` stands in the `source()` chain of its
/// error, a connector of yours as well as ours.
///
/// ```
/// use outrigger_core::{Failure, Fault, Outcome};
///
/// let failure = Failure::new("stream refused", Fault::new(Outcome::Unprocessed));
/// assert_eq!(failure.to_string(), "stream refused");
/// assert_eq!(failure.fault().outcome, Outcome::Unprocessed);
/// ```
#[derive(Debug)]
pub struct Failure {
    what: &'static str,
    fault: Fault,
    source: Option<BoxError>,
}

impl Failure {
    /// A failure without a further cause. `what` is a noun phrase without secrets.
    pub const fn new(what: &'static str, fault: Fault) -> Self {
        Self {
            what,
            fault,
            source: None,
        }
    }

    /// The same failure with the error it came from.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<BoxError>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// What it means.
    pub fn fault(&self) -> Fault {
        self.fault
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.what)
    }
}

impl Error for Failure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
