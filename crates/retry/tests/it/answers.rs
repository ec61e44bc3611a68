//! What the caller gets in the end.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request};
use http_body::Frame;
use http_body_util::BodyExt;
use outrigger_core::{Failure, Fault, Outcome, Rejected, find};
use outrigger_retry::{Attempts, Exhausted, ReplayBody, Retries, RetryAborted};
use outrigger_testkit::{Body, BoxError, Reply, mock::Mock, probe::ContractProbe};
use tokio::time::Instant;
use tower::{Layer, ServiceExt, service_fn};

use crate::support::{Answer, failing, failing_for_good, millis, request, steady};

async fn get(mock: &Mock) -> Answer {
    steady()
        .layer(mock.clone())
        .oneshot(request(Method::GET))
        .await
}

#[tokio::test(start_paused = true)]
async fn one_attempt_leaves_no_trace() {
    let mock = Mock::new();
    mock.any("/")
        .times(1, Reply::status(200))
        .always(failing_for_good(Outcome::Ambiguous));
    let response = get(&mock).await.unwrap();
    assert!(response.extensions().get::<Attempts>().is_none());
    assert!(!response.body().is_kept());
    let error = get(&mock).await.unwrap_err();
    assert!(error.is::<Failure>());
}

#[tokio::test(start_paused = true)]
async fn an_answer_after_retries_tells_of_all_attempts() {
    let mock = Mock::new();
    mock.any("/")
        .times(1, failing(Outcome::Unsent))
        .times(1, Reply::status(503))
        .always(Reply::status(200).after(millis(7)));
    let start = Instant::now();
    let response = get(&mock).await.unwrap();
    let attempts = response.extensions().get::<Attempts>().unwrap();
    assert_eq!((attempts.len(), attempts.made()), (3, 3));
    let told: Vec<_> = attempts
        .iter()
        .map(|attempt| (attempt.number, attempt.outcome, attempt.waited))
        .collect();
    let answered = |status: u16| Outcome::Answered(status.try_into().unwrap());
    assert_eq!(
        told,
        [
            (1, Outcome::Unsent, millis(0)),
            (2, answered(503), millis(0)),
            (3, answered(200), millis(1_000)),
        ]
    );
    assert!(attempts[0].error().is_some() && attempts[1].error().is_none());
    assert_eq!(attempts[2].started - start, millis(1_000));
    assert_eq!(attempts[2].ended - start, millis(1_007));
}

#[tokio::test(start_paused = true)]
async fn an_error_after_retries_is_exhausted_with_the_last_one_as_its_source() {
    let mock = Mock::new();
    mock.any("/")
        .times(1, failing(Outcome::Ambiguous))
        .times(1, Reply::status(500))
        .always(failing(Outcome::Unprocessed));
    let error = get(&mock).await.unwrap_err();
    let exhausted = error.downcast_ref::<Exhausted>().unwrap();
    assert_eq!(exhausted.to_string(), "failed after 3 attempts");
    assert_eq!(exhausted.attempts().made(), 3);
    assert!(find::<Failure>(exhausted).is_some());
    assert_eq!(Fault::of(&*error).outcome, Outcome::Unprocessed);
}

#[tokio::test(start_paused = true)]
async fn the_last_answer_is_returned_whole_when_attempts_are_used_up() {
    let mock = Mock::new();
    mock.any("/").always(
        Reply::status(503)
            .body("come back")
            .header("x-why", "deploy"),
    );
    let response = get(&mock).await.unwrap();
    assert_eq!(response.headers()["x-why"], "deploy");
    assert_eq!(response.extensions().get::<Attempts>().unwrap().len(), 3);
    assert_eq!(response.collect().await.unwrap().to_bytes(), "come back");
}

/// Answers 503 with this body at first; then a limiter refuses.
fn then_rejected(body: impl Into<Body>) -> Mock {
    let mock = Mock::new();
    let reply = Reply::status(503).header("x-why", "deploy").body(body);
    mock.any("/")
        .times(1, reply)
        .always(outrigger_testkit::mock::Outcome::error(|| {
            Rejected::new("limiter")
        }));
    mock
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_kept_for_when_the_next_attempt_is_refused() {
    let trailers = http::HeaderMap::from_iter([(http::header::ETAG, "1".parse().unwrap())]);
    let body = Body::empty()
        .data("come ")
        .pause(millis(19))
        .data("back")
        .trailers(trailers.clone());
    let response = get(&then_rejected(body)).await.unwrap();
    assert_eq!(
        (response.status().as_u16(), &response.headers()["x-why"]),
        (503, &"deploy".parse().unwrap())
    );
    let attempts = response.extensions().get::<Attempts>().unwrap();
    assert_eq!((attempts.len(), attempts.made()), (2, 1));
    assert!(attempts[1].prevented && find::<Rejected>(attempts[1].error().unwrap()).is_some());
    assert!(response.body().is_kept());
    let whole = response.collect().await.unwrap();
    assert_eq!(whole.trailers(), Some(&trailers));
    assert_eq!(whole.to_bytes(), "come back");
}

#[tokio::test(start_paused = true)]
async fn an_answer_too_long_to_be_kept_is_told_of() {
    let bodies = [
        Body::from(vec![0; 16 * 1024 + 1]),
        Body::empty().data(vec![0; 16 * 1024]).data("1").hang(),
        Body::empty().data("slow").pause(millis(21)).data("er"),
    ];
    for body in bodies {
        let error = get(&then_rejected(body)).await.unwrap_err();
        let aborted = error.downcast_ref::<RetryAborted>().unwrap();
        assert_eq!(aborted.status(), 503);
        assert_eq!(error.to_string(), "answered with status 503");
        let fault = Fault::of(&*error);
        assert_eq!(
            (fault.outcome, fault.retry),
            (Outcome::Answered(aborted.status()), false)
        );
        assert_eq!(find::<Rejected>(&*error).map(Rejected::by), Some("limiter"));
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_of_endless_frames_without_a_byte_is_not_read_for_ever() {
    let server = service_fn(|_: Request<ReplayBody<Body>>| async {
        let body = Endless;
        Ok::<_, BoxError>(http::Response::builder().status(500).body(body)?)
    });
    let service = steady().attempts(2).layer(server);
    let response = service.oneshot(request(Method::GET)).await.unwrap();
    assert_eq!(response.extensions().get::<Attempts>().unwrap().made(), 2);
}

/// A body that never ends and never says anything.
struct Endless;

impl http_body::Body for Endless {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        Poll::Ready(Some(Ok(Frame::data(Bytes::new()))))
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_fails_while_it_is_kept_fails_again_for_the_caller() {
    let body = Body::empty().data("half").fail(|| "cut");
    let response = get(&then_rejected(body)).await.unwrap();
    let mut body = response.into_body();
    assert_eq!(
        body.frame().await.unwrap().unwrap().into_data().unwrap(),
        "half"
    );
    assert_eq!(body.frame().await.unwrap().unwrap_err().to_string(), "cut");
    assert!(body.frame().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn an_earlier_error_is_returned_when_the_next_attempt_is_refused() {
    let mock = Mock::new();
    mock.any("/").times(1, failing(Outcome::Ambiguous)).always(
        outrigger_testkit::mock::Outcome::error(|| Rejected::new("limiter")),
    );
    let error = get(&mock).await.unwrap_err();
    assert_eq!(
        Fault::of(&*error).outcome,
        Outcome::Ambiguous,
        "perhaps processed"
    );
    let exhausted = error.downcast_ref::<Exhausted>().unwrap();
    assert_eq!(exhausted.to_string(), "failed after 1 attempt");
    assert!(exhausted.attempts()[1].prevented);
}

#[tokio::test(start_paused = true)]
async fn no_answer_is_held_during_a_pause() {
    let held = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&held);
    let server = service_fn(move |_: Request<ReplayBody<Body>>| {
        let body = Held::new(&counted);
        async move {
            let mut response = http::Response::new(body);
            *response.status_mut() = http::StatusCode::INTERNAL_SERVER_ERROR;
            Ok::<_, BoxError>(response)
        }
    });
    let call = steady().layer(server).oneshot(request(Method::GET));
    let call = tokio::spawn(call);
    tokio::task::yield_now().await;
    assert_eq!(
        held.load(Ordering::Relaxed),
        1,
        "at most 20 ms of it are read"
    );
    tokio::time::advance(millis(21)).await;
    tokio::task::yield_now().await;
    assert_eq!(held.load(Ordering::Relaxed), 0);
    drop(call.await.unwrap());
}

/// A body that never yields and is counted as long as it lives.
struct Held(Arc<AtomicUsize>);

impl Held {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(count))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl http_body::Body for Held {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        Poll::Pending
    }
}

#[tokio::test(start_paused = true)]
async fn a_failure_within_the_body_is_the_callers() {
    let mock = Mock::new();
    mock.any("/")
        .always(Reply::status(200).body(Body::empty().data("half").fail(|| "cut")));
    let response = get(&mock).await.unwrap();
    assert!(response.collect().await.is_err());
    assert_eq!(mock.log().entries().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_caller_may_forbid_retries_or_allow_more() {
    let mock = Mock::new();
    mock.any("/").always(Reply::status(500));
    for (retries, expected) in [(Retries::NONE, 1), (Retries::at_most(4), 5)] {
        let before = mock.log().entries().len();
        let mut request = request(Method::GET);
        request.extensions_mut().insert(retries);
        let _ = steady().layer(mock.clone()).oneshot(request).await;
        assert_eq!(mock.log().entries().len() - before, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn an_inner_service_that_dies_between_attempts_hides_no_answer() {
    let probe = ContractProbe::new();
    let dying = probe.clone();
    let server = probe.answer(move |_: Request<ReplayBody<Body>>| {
        dying.fail_readiness("dead");
        async {
            Ok(http::Response::builder()
                .status(500)
                .body(Body::from("first"))?)
        }
    });
    let response = steady()
        .layer(server)
        .oneshot(request(Method::GET))
        .await
        .unwrap();
    let attempts = response.extensions().get::<Attempts>().unwrap();
    assert_eq!(attempts[1].error().unwrap().to_string(), "dead");
    assert_eq!(response.collect().await.unwrap().to_bytes(), "first");
    probe.assert_clean();
}

#[tokio::test(start_paused = true)]
async fn waiting_has_no_end_of_its_own() {
    let mock = Mock::new();
    mock.any("/")
        .always(Reply::status(200).after(Duration::from_secs(86_400)));
    assert_eq!(get(&mock).await.unwrap().status(), 200);
}
