use std::error::Error as _;
use std::io;
use std::time::Duration;

use http::StatusCode;
use outrigger::{
    Blame, BoxError, Elapsed, Error, ErrorKind, Failure, Fault, Outcome, Phase, Rejected, find,
};
use tokio::time::Instant;

fn error(source: impl Into<BoxError>) -> Error {
    Error::from(source.into())
}

fn failure(outcome: Outcome) -> Failure {
    Failure::new("planned", Fault::new(outcome))
}

const LIMIT: Duration = Duration::from_secs(3);

#[test]
fn the_kind_is_read_by_type_along_the_chain() {
    let caller = Failure::new("bad uri", Fault::new(Outcome::Unsent).blame(Blame::Caller));
    let full = Failure::new("full", Fault::new(Outcome::Unsent).blame(Blame::Us));
    let busy = Outcome::Answered(StatusCode::SERVICE_UNAVAILABLE);
    let late = failure(busy).with_source(Elapsed::new(Phase::Total, LIMIT));
    let cases = [
        (error(late), ErrorKind::Status, busy),
        (error(full), ErrorKind::Rejected, Outcome::Unsent),
        (
            error(failure(Outcome::Unsent)),
            ErrorKind::Connect,
            Outcome::Unsent,
        ),
        (
            error(failure(Outcome::Unprocessed)),
            ErrorKind::Transport,
            Outcome::Unprocessed,
        ),
        (
            error(failure(Outcome::Ambiguous)),
            ErrorKind::Transport,
            Outcome::Ambiguous,
        ),
        (
            error("words alone"),
            ErrorKind::Transport,
            Outcome::Ambiguous,
        ),
        (error(caller), ErrorKind::Request, Outcome::Unsent),
        (
            error(Rejected::new("breaker")),
            ErrorKind::Rejected,
            Outcome::Unsent,
        ),
        (
            error(Elapsed::new(Phase::Total, LIMIT)),
            ErrorKind::Timeout,
            Outcome::Ambiguous,
        ),
        (
            error(Elapsed::new(Phase::Total, LIMIT).unsent()),
            ErrorKind::Timeout,
            Outcome::Unsent,
        ),
        (
            error(Elapsed::new(Phase::Acquire, LIMIT)),
            ErrorKind::Timeout,
            Outcome::Unsent,
        ),
        (
            error(failure(Outcome::Unsent).with_source(Elapsed::new(Phase::Connect, LIMIT))),
            ErrorKind::Timeout,
            Outcome::Unsent,
        ),
        (
            error(io::Error::other(Rejected::new("limiter"))),
            ErrorKind::Rejected,
            Outcome::Unsent,
        ),
    ];
    for (error, kind, outcome) in cases {
        assert_eq!(
            (error.kind(), error.outcome()),
            (kind, outcome),
            "{error:?}"
        );
    }
}

#[test]
fn the_questions_agree_with_the_kind() {
    let late = error(Elapsed::new(Phase::Connect, LIMIT));
    assert!(late.is_timeout() && late.is_connect() && !late.is_rejected());
    assert_eq!(late.phase(), Some(Phase::Connect));
    let refused = error(failure(Outcome::Unsent));
    assert!(refused.is_connect() && !refused.is_timeout());
    assert!(!error(failure(Outcome::Ambiguous)).is_connect());
}

#[test]
fn a_refusal_says_when_and_was_no_attempt() {
    let retry_at = Instant::now();
    let refused = error(Rejected::new("limiter").with_retry_at(retry_at));
    assert!(refused.is_rejected());
    assert_eq!(refused.retry_at(), Some(retry_at));
    assert_eq!(refused.attempts(), []);
    assert_eq!(error("x").retry_at(), None);
}

#[test]
fn an_attempt_tells_its_outcome() {
    let error = error(failure(Outcome::Ambiguous));
    let [attempt] = error.attempts() else {
        panic!("one attempt was made: {error:?}");
    };
    assert_eq!(
        (attempt.outcome(), attempt.status()),
        (Outcome::Ambiguous, None)
    );
    assert_eq!(attempt.wait(), Duration::ZERO);
}

#[test]
fn an_error_boxed_again_is_the_same_error() {
    let refused = error(Rejected::new("limiter"));
    let again = error(BoxError::from(refused));
    assert!(again.source().is_some_and(|source| source.is::<Rejected>()));
}

#[test]
fn the_chain_stays_whole() {
    let error = error(failure(Outcome::Unsent).with_source(io::Error::other("socket")));
    assert!(find::<io::Error>(&error).is_some());
    assert_eq!(Fault::of(&error).outcome, Outcome::Unsent);
    assert_eq!(error.to_string(), "could not connect");
}
