//! Which outcomes are worth another attempt. The rows are in `docs/retry-table.csv`.

use std::time::{Duration, SystemTime};

use http::header::{CONTENT_TYPE, HeaderMap, HeaderName};
use http::{Response, StatusCode};
use outrigger_core::{Fault, Outcome, RetryAfter};

use super::plan::Plan;
use super::pristine::Pristine;

/// Why another attempt is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Again {
    /// The server did nothing with the one before.
    pub(super) unprocessed: bool,
    /// The server has too much to do.
    pub(super) throttled: bool,
    /// A second answer like this one is final.
    pub(super) once: bool,
    /// How long the server asks us to stay away.
    pub(super) asked: Option<Duration>,
}

impl Again {
    const UNPROCESSED: Self = Self {
        unprocessed: true,
        ..Self::AMBIGUOUS
    };
    const AMBIGUOUS: Self = Self {
        unprocessed: false,
        throttled: false,
        once: false,
        asked: None,
    };
    const TOO_EARLY: Self = Self {
        once: true,
        ..Self::AMBIGUOUS
    };
    const THROTTLED: Self = Self {
        throttled: true,
        ..Self::AMBIGUOUS
    };
}

/// Judges an error.
pub(super) fn of_error(plan: &Plan, fault: &Fault) -> Option<Again> {
    let again = match fault.outcome {
        Outcome::Unsent | Outcome::Unprocessed => Again::UNPROCESSED,
        Outcome::Ambiguous if plan.if_ambiguous => Again::AMBIGUOUS,
        Outcome::Ambiguous => return None,
        Outcome::Answered(status) => of_status(plan, status)?,
    };
    fault.retry.then_some(again)
}

/// Judges an answer.
pub(super) fn of_answer<R>(plan: &Plan, request: &Pristine, answer: &Response<R>) -> Option<Again> {
    let headers = answer.headers();
    if answer.status() == StatusCode::OK {
        return of_grpc(plan, request, headers);
    }
    let again = of_status(plan, answer.status())?;
    if plan.key && is_stored(headers) {
        return None;
    }
    let asked = match pushback(headers) {
        Pushback::Never => return None,
        Pushback::After(pause) => Some(pause),
        Pushback::Unsaid => retry_after(headers),
    };
    Some(Again { asked, ..again })
}

/// The answer was read just now: a date without the server's own clock is measured against ours.
#[expect(clippy::disallowed_methods, reason = "wall time is read here")]
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    RetryAfter::parse(headers, SystemTime::now()).map(RetryAfter::delay)
}

/// Whether the call has succeeded, so that it earns retries for others.
pub(super) fn succeeded<R>(answer: &Response<R>) -> bool {
    let status = answer.status();
    let throttled = matches!(status.as_u16(), 408 | 425 | 429);
    let failed = matches!(
        grpc_status(answer.headers()),
        Some(b"2" | b"4" | b"8" | b"13" | b"14")
    );
    !(throttled || status.is_server_error() || failed)
}

fn of_status(plan: &Plan, status: StatusCode) -> Option<Again> {
    match status.as_u16() {
        421 => Some(Again::UNPROCESSED),
        409 if plan.key => Some(Again::AMBIGUOUS),
        408 | 500 | 502 | 504 if plan.if_ambiguous => Some(Again::AMBIGUOUS),
        425 if plan.if_ambiguous => Some(Again::TOO_EARLY),
        429 | 503 if plan.if_ambiguous => Some(Again::THROTTLED),
        _ => None,
    }
}

const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const PUSHBACK: HeaderName = HeaderName::from_static("grpc-retry-pushback-ms");

/// A gRPC status stands in the headers when nothing else was sent (gRPC over HTTP/2,
/// "Trailers-Only"). UNAVAILABLE is worth another attempt, RESOURCE_EXHAUSTED when the server says
/// when (gRFC A6).
#[inline]
fn of_grpc(plan: &Plan, request: &Pristine, headers: &HeaderMap) -> Option<Again> {
    if !plan.if_ambiguous || headers.is_empty() {
        return None;
    }
    let status = grpc_status(headers).filter(|_| is_grpc(request))?;
    match (status, pushback(headers)) {
        (b"14", Pushback::Unsaid) => Some(Again::AMBIGUOUS),
        (b"14", Pushback::After(pause)) => Some(Again {
            asked: Some(pause),
            ..Again::AMBIGUOUS
        }),
        (b"8", Pushback::After(pause)) => Some(Again {
            asked: Some(pause),
            ..Again::THROTTLED
        }),
        _ => None,
    }
}

/// Whether a request is gRPC, by its content type.
pub(super) fn is_grpc(request: &Pristine) -> bool {
    let kind = request.header(&CONTENT_TYPE);
    kind.is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc"))
}

fn grpc_status(headers: &HeaderMap) -> Option<&[u8]> {
    headers.get(&GRPC_STATUS).map(|status| status.as_bytes())
}

/// Whether the answer to an idempotency key is a stored one: it will be the same next time (Stripe's
/// `Idempotent-Replayed`).
fn is_stored(headers: &HeaderMap) -> bool {
    let stored = headers.get("idempotent-replayed");
    stored.is_some_and(|stored| stored.as_bytes().eq_ignore_ascii_case(b"true"))
}

/// What `grpc-retry-pushback-ms` says (gRFC A6): anything but a number of milliseconds means never.
enum Pushback {
    Unsaid,
    After(Duration),
    Never,
}

fn pushback(headers: &HeaderMap) -> Pushback {
    let Some(value) = headers.get(&PUSHBACK) else {
        return Pushback::Unsaid;
    };
    let digits = value.as_bytes();
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Pushback::Never;
    }
    let millis = digits.iter().fold(0_u64, |sum, digit| {
        sum.saturating_mul(10)
            .saturating_add(u64::from(digit - b'0'))
    });
    Pushback::After(Duration::from_millis(millis))
}
