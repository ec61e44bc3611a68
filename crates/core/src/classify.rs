use std::error::Error;

use http::{HeaderMap, StatusCode};

use crate::{Blame, End, Fault, Outcome};

/// What an attempt says of the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// The peer did its work, be it by saying that the request was wrong.
    Success,
    /// It did, or may have done, but took too long.
    Slow,
    /// It failed.
    Failure,
    /// Nothing: the attempt ended by our doing or the caller's, or the peer asks us to slow down.
    Neutral,
}

/// Judges the peer by what became of an attempt.
///
/// ```
/// use http::{HeaderMap, StatusCode};
/// use outrigger_core::{Classify, HttpClassify, Verdict};
///
/// /// A server whose 404 means that it lost its disk.
/// #[derive(Clone, Debug)]
/// struct Fragile;
///
/// impl Classify for Fragile {
///     fn head(&self, status: StatusCode, headers: &HeaderMap) -> Option<Verdict> {
///         match status {
///             StatusCode::NOT_FOUND => Some(Verdict::Failure),
///             _ => HttpClassify.head(status, headers),
///         }
///     }
/// }
///
/// assert_eq!(Fragile.head(StatusCode::NOT_FOUND, &HeaderMap::new()), Some(Verdict::Failure));
/// ```
pub trait Classify {
    /// Judges an answer by its head; `None` when only its body will tell.
    fn head(&self, status: StatusCode, headers: &HeaderMap) -> Option<Verdict>;

    /// Judges an answer by the end of its body, after a head that was no failure. By default a body
    /// that failed is a failure, and one that was dropped says nothing.
    fn end(&self, end: End<'_>) -> Verdict {
        match end {
            End::Complete(_) => Verdict::Success,
            End::Failed => Verdict::Failure,
            End::Dropped => Verdict::Neutral,
        }
    }

    /// Judges an error. By default it is a failure where its [`Fault`] is the peer's, unless the peer
    /// did not process the request: what was not processed has not failed (RFC 9113 §8.7).
    fn error(&self, error: &(dyn Error + 'static)) -> Verdict {
        let fault = Fault::of(error);
        match (fault.blame, fault.outcome) {
            (Blame::Peer, Outcome::Answered(status)) => {
                let verdict = self.head(status, &HeaderMap::new());
                verdict.unwrap_or(Verdict::Failure)
            }
            (Blame::Peer, Outcome::Unsent | Outcome::Ambiguous) => Verdict::Failure,
            _ => Verdict::Neutral,
        }
    }
}

/// Judges by the status: 5xx is a failure, but for 501 and 505, which say that the server never will;
/// 408 and 429 say nothing of its health; any other answer is a success.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HttpClassify;

impl Classify for HttpClassify {
    #[inline]
    fn head(&self, status: StatusCode, _: &HeaderMap) -> Option<Verdict> {
        Some(match status.as_u16() {
            408 | 429 => Verdict::Neutral,
            501 | 505 => Verdict::Success,
            500..=599 => Verdict::Failure,
            _ => Verdict::Success,
        })
    }
}

/// Judges by gRPC's status, in the head where nothing else was sent, else in the trailers: UNKNOWN,
/// DEADLINE_EXCEEDED, INTERNAL and UNAVAILABLE are failures; CANCELLED and RESOURCE_EXHAUSTED say
/// nothing; any other is a success. An answer that ends without a status is UNKNOWN. A status other
/// than 200 is judged as [`HttpClassify`] does: what answers so does not speak gRPC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GrpcClassify;

impl GrpcClassify {
    fn status(headers: &HeaderMap) -> Option<Verdict> {
        Some(match headers.get("grpc-status")?.as_bytes() {
            b"2" | b"4" | b"13" | b"14" => Verdict::Failure,
            b"1" | b"8" => Verdict::Neutral,
            _ => Verdict::Success,
        })
    }
}

impl Classify for GrpcClassify {
    fn head(&self, status: StatusCode, headers: &HeaderMap) -> Option<Verdict> {
        match status {
            StatusCode::OK => Self::status(headers),
            _ => HttpClassify.head(status, headers),
        }
    }

    fn end(&self, end: End<'_>) -> Verdict {
        match end {
            End::Complete(trailers) => trailers.and_then(Self::status).unwrap_or(Verdict::Failure),
            End::Failed => Verdict::Failure,
            End::Dropped => Verdict::Neutral,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Verdict::{Failure, Neutral, Success};
    use super::*;
    use crate::{BoxError, Elapsed, Phase, Rejected};

    fn status(status: u16) -> Option<Verdict> {
        HttpClassify.head(StatusCode::from_u16(status).unwrap(), &HeaderMap::new())
    }

    fn grpc(status: &'static str) -> HeaderMap {
        HeaderMap::from_iter([("grpc-status".parse().unwrap(), status.parse().unwrap())])
    }

    #[test]
    fn every_status_has_its_verdict() {
        for code in 100..1_000 {
            let expected = match code {
                408 | 429 => Neutral,
                501 | 505 => Success,
                500..600 => Failure,
                _ => Success,
            };
            assert_eq!(status(code), Some(expected), "{code}");
        }
    }

    #[test]
    fn every_grpc_status_has_its_verdict_in_the_head_and_in_the_trailers() {
        let failures = ["2", "4", "13", "14"];
        for code in 0..17 {
            let name: &str = Box::leak(code.to_string().into_boxed_str());
            let expected = match name {
                "1" | "8" => Neutral,
                name if failures.contains(&name) => Failure,
                _ => Success,
            };
            let head = GrpcClassify.head(StatusCode::OK, &grpc(name));
            assert_eq!(head, Some(expected), "{name}");
            let trailers = GrpcClassify.end(End::Complete(Some(&grpc(name))));
            assert_eq!(trailers, expected, "{name}");
        }
    }

    #[test]
    fn a_grpc_answer_without_a_status_waits_for_its_end_and_then_has_failed() {
        let none = HeaderMap::new();
        assert_eq!(GrpcClassify.head(StatusCode::OK, &none), None);
        assert_eq!(GrpcClassify.end(End::Complete(Some(&none))), Failure);
        assert_eq!(GrpcClassify.end(End::Complete(None)), Failure);
        assert_eq!(GrpcClassify.end(End::Dropped), Neutral);
        let unavailable = GrpcClassify.head(StatusCode::BAD_GATEWAY, &none);
        assert_eq!(unavailable, Some(Failure), "a proxy on the way");
    }

    #[test]
    fn a_body_that_fails_is_a_failure_and_one_that_is_dropped_is_not() {
        assert_eq!(HttpClassify.end(End::Complete(None)), Success);
        assert_eq!(HttpClassify.end(End::Failed), Failure);
        assert_eq!(HttpClassify.end(End::Dropped), Neutral);
        assert_eq!(GrpcClassify.end(End::Failed), Failure);
    }

    #[test]
    fn an_error_is_judged_by_its_fault() {
        let failure = |outcome| BoxError::from(crate::Failure::new("x", Fault::new(outcome)));
        let caller = Fault::new(Outcome::Ambiguous).blame(Blame::Caller);
        let elapsed = |phase| BoxError::from(Elapsed::new(phase, Duration::from_secs(1)));
        let cases: [(BoxError, Verdict); 13] = [
            (std::io::Error::other("reset").into(), Failure),
            (failure(Outcome::Unsent), Failure),
            (failure(Outcome::Unprocessed), Neutral),
            (failure(Outcome::Answered(StatusCode::BAD_GATEWAY)), Failure),
            (failure(Outcome::Answered(StatusCode::GONE)), Success),
            (crate::Failure::new("body", caller).into(), Neutral),
            (elapsed(Phase::Attempt), Failure),
            (elapsed(Phase::Connect), Failure),
            (elapsed(Phase::BodyIdle), Failure),
            (elapsed(Phase::WriteIdle), Failure),
            (elapsed(Phase::Total), Neutral),
            (elapsed(Phase::Acquire), Neutral),
            (Rejected::new("limiter").into(), Neutral),
        ];
        for (error, expected) in cases {
            assert_eq!(HttpClassify.error(&*error), expected, "{error}");
            assert_eq!(GrpcClassify.error(&*error), expected, "{error}");
        }
    }
}
