use std::time::{Duration, SystemTime};

use http::header::{HeaderMap, RETRY_AFTER};
use http::{Response, StatusCode};
use outrigger_core::{Blame, BoxError, Fault, Outcome, RetryAfter};

/// What a call's end says of its endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Success,
    /// It failed, and asked to be left alone for so long.
    Failure {
        asked: Duration,
    },
    Neutral,
}

impl Verdict {
    pub(crate) fn of<R>(result: &Result<Response<R>, BoxError>) -> Self {
        match result {
            Ok(response) => Self::of_answer(response.status(), response.headers()),
            Err(error) => Self::of_fault(Fault::of(&**error)),
        }
    }

    fn of_answer(status: StatusCode, headers: &HeaderMap) -> Self {
        if !fails(status) {
            return Self::Success;
        }
        let asks = headers.contains_key(RETRY_AFTER);
        let asked = asks
            .then(|| RetryAfter::parse(headers, wall_clock()))
            .flatten();
        Self::Failure {
            asked: asked.map(RetryAfter::delay).unwrap_or_default(),
        }
    }

    fn of_fault(fault: Fault) -> Self {
        match (fault.outcome, fault.blame) {
            (Outcome::Answered(status), _) => Self::of_answer(status, &HeaderMap::new()),
            (_, Blame::Peer) => Self::Failure {
                asked: Duration::ZERO,
            },
            _ => Self::Neutral,
        }
    }
}

/// Whether a status says that the server cannot cope. 501 and 505 say that it never will.
fn fails(status: StatusCode) -> bool {
    match status {
        StatusCode::TOO_MANY_REQUESTS => true,
        StatusCode::NOT_IMPLEMENTED | StatusCode::HTTP_VERSION_NOT_SUPPORTED => false,
        status => status.is_server_error(),
    }
}

/// Read in this one place, when there is a `Retry-After` that may be a date.
#[expect(clippy::disallowed_methods, reason = "dates are of the wall clock")]
fn wall_clock() -> SystemTime {
    SystemTime::now()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use http::header::DATE;
    use outrigger_core::{Elapsed, Failure, Phase, Rejected};

    use super::*;

    const FAILURE: Verdict = Verdict::Failure {
        asked: Duration::ZERO,
    };

    fn answered(status: u16) -> Verdict {
        Verdict::of_answer(StatusCode::from_u16(status).unwrap(), &HeaderMap::new())
    }

    #[test]
    fn overload_fails_and_every_other_answer_succeeds() {
        for status in [429, 500, 502, 503, 504, 507, 599] {
            assert_eq!(answered(status), FAILURE, "{status}");
        }
        for status in [
            100, 200, 204, 301, 304, 400, 401, 404, 408, 409, 425, 499, 501, 505, 600,
        ] {
            assert_eq!(answered(status), Verdict::Success, "{status}");
        }
    }

    #[test]
    fn an_error_is_judged_by_its_fault() {
        let second = Duration::from_secs(1);
        let of_status = |status| Fault::new(Outcome::Answered(status));
        let cases: [(BoxError, Verdict); 10] = [
            (std::io::Error::other("reset").into(), FAILURE),
            (
                Failure::new("refused", Fault::new(Outcome::Unsent)).into(),
                FAILURE,
            ),
            (
                Failure::new("goaway", Fault::new(Outcome::Unprocessed)).into(),
                FAILURE,
            ),
            (
                Failure::new("busy", of_status(StatusCode::BAD_GATEWAY)).into(),
                FAILURE,
            ),
            (
                Failure::new("gone", of_status(StatusCode::GONE)).into(),
                Verdict::Success,
            ),
            (Elapsed::new(Phase::Attempt, second).into(), FAILURE),
            (Elapsed::new(Phase::Connect, second).into(), FAILURE),
            (Elapsed::new(Phase::Total, second).into(), Verdict::Neutral),
            (
                Elapsed::new(Phase::Acquire, second).into(),
                Verdict::Neutral,
            ),
            (Rejected::new("breaker").into(), Verdict::Neutral),
        ];
        for (error, expected) in cases {
            let said = error.to_string();
            assert_eq!(Verdict::of::<()>(&Err(error)), expected, "{said}");
        }
    }

    #[test]
    fn a_failure_says_what_the_server_asked_for() {
        let asked = |values: &[(_, &'static str)]| {
            let headers = values.iter().cloned();
            let headers = headers.map(|(name, value)| (name, HeaderValue::from_static(value)));
            let headers = headers.collect();
            match Verdict::of_answer(StatusCode::TOO_MANY_REQUESTS, &headers) {
                Verdict::Failure { asked } => asked.as_secs(),
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(asked(&[(RETRY_AFTER, "7")]), 7);
        assert_eq!(asked(&[(RETRY_AFTER, "soon")]), 0);
        let date = (DATE, "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(
            asked(&[date, (RETRY_AFTER, "Sun, 06 Nov 1994 08:50:07 GMT")]),
            30
        );
        assert_eq!(
            asked(&[(RETRY_AFTER, "Sun, 06 Nov 1994 08:50:07 GMT")]),
            0,
            "long ago"
        );
    }
}
