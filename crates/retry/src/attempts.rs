use std::error::Error;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use outrigger_core::{BoxError, Failure, Fault, Outcome};
use tokio::time::Instant;

/// One attempt of a call, after it has ended or was prevented.
#[derive(Debug)]
#[non_exhaustive]
pub struct Attempt {
    /// Its ordinal within the call, from 1.
    pub number: u32,
    /// What became of it.
    pub outcome: Outcome,
    /// Whether it was prevented, by a local rejection or an inner service that did not become ready:
    /// nothing was sent, and it does not count.
    pub prevented: bool,
    /// How long the call paused before it.
    pub waited: Duration,
    /// When the request was given to the inner service.
    pub started: Instant,
    /// When its head, or its error, came back.
    pub ended: Instant,
    pub(crate) error: Option<BoxError>,
}

impl Attempt {
    /// Its error; `None` for an answer, and for the one error that the caller is given itself.
    pub fn error(&self) -> Option<&(dyn Error + Send + Sync + 'static)> {
        self.error.as_deref()
    }

    /// Its error, for the caller.
    pub(crate) fn take_error(&mut self) -> BoxError {
        let without = || Failure::new("attempt failed", Fault::new(self.outcome)).into();
        self.error.take().unwrap_or_else(without)
    }
}

/// The attempts of a call, oldest first, those that were prevented among them.
///
/// It is an extension of the response when there was more than one, and a part of
/// [`Exhausted`](crate::Exhausted).
#[derive(Clone)]
pub struct Attempts(Arc<[Attempt]>);

impl Attempts {
    pub(crate) fn new(attempts: Vec<Attempt>) -> Self {
        Self(attempts.into())
    }

    /// How many attempts were made: those that were prevented do not count.
    pub fn made(&self) -> usize {
        self.0.iter().filter(|attempt| !attempt.prevented).count()
    }
}

impl Deref for Attempts {
    type Target = [Attempt];

    fn deref(&self) -> &[Attempt] {
        &self.0
    }
}

impl fmt::Debug for Attempts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
