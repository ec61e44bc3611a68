use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::{HeaderMap, Request};
use outrigger::{Endpoint, Outcome};
use tokio::time::Instant;

use crate::report::{AttemptReport, Report};
use crate::{console, words};

/// What was sent, attempt by attempt; noted just above the connector, so it is what really left.
#[derive(Clone, Debug)]
pub(super) struct Attempts {
    began: Instant,
    verbose: bool,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Debug, Default)]
struct Seen {
    headers: HeaderMap,
    attempts: Vec<Attempt>,
}

#[derive(Debug)]
struct Attempt {
    started: Duration,
    ended: Duration,
    /// Absent while it runs, and for good when a layer above gave it up.
    end: Option<End>,
}

/// How an attempt, or the whole call, came out.
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
    pub(super) fn start<B>(&self, request: &Request<B>) -> Running {
        let mut seen = self.lock();
        seen.headers = request.headers().clone();
        let started = self.began.elapsed();
        seen.attempts.push(Attempt {
            started,
            ended: started,
            end: None,
        });
        let n = seen.attempts.len();
        drop(seen);
        let target = Endpoint::of(request.uri());
        if let (true, Ok(target)) = (self.verbose, target) {
            console::note(format_args!("* attempt {n}: {} {target}", request.method()));
        }
        Running {
            log: self.clone(),
            n,
            end: None,
        }
    }

    /// The whole call. An attempt that a layer above gave up has no end of its own and takes the
    /// call's.
    pub(super) fn report(&self, call: End) -> Report {
        let seen = self.lock();
        let mut before = Duration::ZERO;
        let attempts = (1..).zip(&seen.attempts).map(|(n, attempt)| {
            let waited = attempt.started.saturating_sub(before);
            before = attempt.ended;
            attempt.report(n, waited, attempt.end.as_ref().unwrap_or(&call))
        });
        Report {
            attempts: attempts.collect(),
            status: status(call.outcome),
            request_id: seen.header("x-request-id"),
            idempotency_key: seen.header("idempotency-key"),
            outcome: words::outcome(call.outcome),
            error: call.error,
        }
    }

    fn close(&self, n: usize, end: Option<End>) {
        let mut seen = self.lock();
        let Some(attempt) = seen.attempts.get_mut(n - 1) else {
            return;
        };
        attempt.ended = self.began.elapsed();
        attempt.end = end;
        if self.verbose {
            let took = millis(attempt.ended.saturating_sub(attempt.started));
            let end = attempt.end.as_ref().map(ToString::to_string);
            let end = end.unwrap_or_else(|| "given up".to_owned());
            console::note(format_args!("* attempt {n}: {end} after {took} ms"));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seen {
    /// A header of the last request that left.
    fn header(&self, name: &str) -> Option<String> {
        let value = self.headers.get(name)?;
        Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
    }
}

impl Attempt {
    fn report(&self, n: u32, waited: Duration, end: &End) -> AttemptReport {
        AttemptReport {
            n,
            started_ms: millis(self.started),
            ended_ms: millis(self.ended),
            waited_ms: millis(waited),
            outcome: words::outcome(end.outcome),
            status: status(end.outcome),
            error: end.error.clone(),
        }
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.error, self.outcome) {
            (Some(error), _) => f.write_str(error),
            (None, Outcome::Answered(status)) => status.fmt(f),
            (None, outcome) => f.write_str(words::outcome(outcome)),
        }
    }
}

/// An attempt under way: dropped without [`end`](Self::end), it was given up.
#[derive(Debug)]
pub(super) struct Running {
    log: Attempts,
    n: usize,
    end: Option<End>,
}

impl Running {
    /// Notes how it came out.
    pub(super) fn end(mut self, end: End) {
        self.end = Some(end);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.log.close(self.n, self.end.take());
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
