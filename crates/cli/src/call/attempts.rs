use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::{HeaderMap, Request};
use outrigger::retry::Attempt;
use outrigger::{Endpoint, Outcome};
use tokio::time::Instant;

use crate::report::{AttemptReport, Report};
use crate::{console, words};

/// What became of each attempt: how it left is noted just above the connector, how it ended is told
/// by the retry layer.
#[derive(Clone, Debug)]
pub(super) struct Attempts {
    began: Instant,
    verbose: bool,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Debug, Default)]
struct Seen {
    /// Those of the last request that left.
    headers: HeaderMap,
    /// How many requests left.
    left: u32,
    ended: Vec<AttemptReport>,
}

/// How the whole call came out.
#[derive(Clone, Debug)]
pub(super) struct End {
    pub(super) outcome: Outcome,
    pub(super) error: Option<String>,
}

impl Attempts {
    /// Begins now. With `verbose`, each attempt is told on standard error as it comes and goes.
    pub(super) fn begin(verbose: bool) -> Self {
        Self {
            began: Instant::now(),
            verbose,
            seen: Arc::default(),
        }
    }

    /// Notes that a request leaves.
    pub(super) fn leave<B>(&self, request: &Request<B>) {
        let mut seen = self.lock();
        seen.headers = request.headers().clone();
        seen.left += 1;
        if let (true, Ok(endpoint)) = (self.verbose, Endpoint::of(request.uri())) {
            let (n, method) = (seen.left, request.method());
            console::note(format_args!("* attempt {n}: {method} {endpoint}"));
        }
    }

    /// Notes how an attempt came out; one that was prevented is none.
    pub(super) fn end(&self, attempt: &Attempt) {
        if attempt.prevented {
            return;
        }
        let report = AttemptReport {
            n: attempt.number,
            started_ms: self.millis(attempt.started),
            ended_ms: self.millis(attempt.ended),
            waited_ms: millis(attempt.waited),
            outcome: words::outcome(attempt.outcome),
            status: status(attempt.outcome),
            error: attempt.error().map(|error| words::chain(error)),
        };
        if self.verbose {
            let end = match (&report.error, attempt.outcome) {
                (Some(error), _) => error.clone(),
                (None, Outcome::Answered(status)) => status.to_string(),
                (None, _) => report.outcome.to_owned(),
            };
            let took = millis(attempt.ended.saturating_duration_since(attempt.started));
            console::note(format_args!(
                "* attempt {}: {end} after {took} ms",
                report.n
            ));
        }
        self.lock().ended.push(report);
    }

    /// The whole call.
    pub(super) fn report(&self, call: End) -> Report {
        let seen = self.lock();
        let mut attempts = seen.ended.clone();
        if let Some(last) = attempts.last_mut()
            && last.status.is_none()
        {
            // The last error is the caller's, and the retry layer does not keep a copy.
            last.error = last.error.take().or_else(|| call.error.clone());
        }
        Report {
            attempts,
            status: status(call.outcome),
            request_id: seen.header("x-request-id"),
            idempotency_key: seen.header("idempotency-key"),
            outcome: words::outcome(call.outcome),
            error: call.error,
        }
    }

    fn millis(&self, at: Instant) -> u64 {
        millis(at.saturating_duration_since(self.began))
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seen {
    fn header(&self, name: &str) -> Option<String> {
        let value = self.headers.get(name)?;
        Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
    }
}

/// The status of an outcome, if it has one.
fn status(outcome: Outcome) -> Option<u16> {
    match outcome {
        Outcome::Answered(status) => Some(status.as_u16()),
        _ => None,
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
