//! The idempotency key decides what the retry layer may repeat, and a backoff layer below adds nothing
//! to its pauses.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::collections::HashSet;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use http::header::AUTHORIZATION;
use http::{HeaderName, HeaderValue, Request};
use outrigger_backoff::{BackoffLayer, Exponential, Jitter};
use outrigger_core::{Failure, Fault};
use outrigger_idempotency::{IDEMPOTENCY_KEY, IdempotencyKeyLayer, KeyFormat};
use outrigger_request_id::{RequestIdLayer, X_REQUEST_ID};
use outrigger_retry::{Outcome, ReplayBody, RetryLayer};
use outrigger_testkit::mock::{self, Mock};
use outrigger_testkit::{Body, Reply};
use tokio::time::Instant;
use tower::util::Either;
use tower::{Layer, ServiceBuilder, ServiceExt};

/// The server has executed the request, and its answer is lost.
fn lost() -> mock::Outcome {
    mock::Outcome::error(|| Failure::new("reset", Fault::new(Outcome::Ambiguous)))
}

fn post() -> Request<Body> {
    let request = Request::post("http://bank.example/").body(Body::empty().data("100 EUR"));
    request.expect("a valid request")
}

fn honoured() -> IdempotencyKeyLayer {
    IdempotencyKeyLayer::new(KeyFormat::Raw).server_honours(true)
}

/// The keys of the requests that have reached a server.
fn keys(server: &Mock) -> Vec<HeaderValue> {
    let log = server.log().entries();
    let keys = log
        .iter()
        .map(|received| received.head().headers[IDEMPOTENCY_KEY].clone());
    keys.collect()
}

#[tokio::test(start_paused = true)]
async fn with_an_honoured_key_a_call_whose_answers_are_lost_is_executed_once() {
    for answers_lost in 0..4 {
        let server = Mock::new();
        server
            .post("/")
            .times(answers_lost, lost())
            .always(Reply::status(201));
        let client = ServiceBuilder::new()
            .layer(honoured())
            .layer(RetryLayer::new().attempts(4))
            .service(server.clone());
        let response = client.oneshot(post()).await.expect("an answer");
        assert_eq!(response.status(), 201);
        let keys = keys(&server);
        assert_eq!(keys.len(), answers_lost + 1);
        assert_eq!(
            keys.iter().collect::<HashSet<_>>().len(),
            1,
            "one key, one execution"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_that_nobody_honours_is_sent_once() {
    let server = Mock::new();
    server.post("/").always(lost());
    let client = ServiceBuilder::new()
        .layer(honoured().server_honours(false))
        .layer(RetryLayer::new())
        .service(server.clone());
    assert!(client.oneshot(post()).await.is_err());
    assert_eq!(keys(&server).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn beyond_a_buffer_nobody_knows_that_the_key_is_honoured() {
    let server = Mock::new();
    server.post("/").always(lost());
    let client = ServiceBuilder::new()
        .layer(honoured())
        .buffer(1)
        .layer(RetryLayer::new())
        .service(server.clone());
    assert!(client.oneshot(post()).await.is_err());
    assert_eq!(keys(&server).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_conflict_is_repeated_with_the_same_key_and_a_key_reused_is_not() {
    for (status, attempts) in [(409, 3), (422, 1)] {
        let server = Mock::new();
        server
            .post("/")
            .times(2, Reply::status(status))
            .always(Reply::status(200));
        let client = ServiceBuilder::new()
            .layer(honoured())
            .layer(RetryLayer::new())
            .service(server.clone());
        client.oneshot(post()).await.expect("an answer");
        let keys = keys(&server);
        assert_eq!(keys.len(), attempts, "{status}");
        assert!(keys.iter().all(|key| key == keys[0]));
    }
}

#[tokio::test(start_paused = true)]
async fn what_belongs_to_the_call_is_one_and_what_belongs_to_an_attempt_is_fresh() {
    const ATTEMPT: HeaderName = HeaderName::from_static("x-attempt");
    let server = Mock::new();
    server.post("/").times(2, lost()).always(Reply::status(201));
    let signatures = AtomicU32::new(0);
    let client = ServiceBuilder::new()
        .layer(RequestIdLayer::new())
        .layer(honoured())
        .layer(RetryLayer::new().attempt_header(ATTEMPT))
        .map_request(|mut request: Request<ReplayBody<Body>>| {
            let signature = signatures.fetch_add(1, Ordering::Relaxed);
            request
                .headers_mut()
                .append(AUTHORIZATION, signature.into());
            request
        })
        .service(server.clone());
    let answer = Box::pin(client.oneshot(post())).await;
    assert_eq!(answer.expect("an answer").status(), 201);
    let log = server.log().entries();
    let all = |name: &HeaderName| {
        let values = log
            .iter()
            .flat_map(|entry| entry.head().headers.get_all(name));
        values.cloned().collect::<Vec<_>>()
    };
    let distinct = |name| all(name).into_iter().collect::<HashSet<_>>().len();
    for (name, values) in [
        (&IDEMPOTENCY_KEY, 1),
        (&X_REQUEST_ID, 1),
        (&ATTEMPT, 3),
        (&AUTHORIZATION, 3),
    ] {
        assert_eq!((all(name).len(), distinct(name)), (3, values), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn two_pauses_at_the_same_time_are_the_longer_one() {
    let seconds = |base, cap| {
        let (base, cap) = (Duration::from_secs(base), Duration::from_secs(cap));
        Exponential::new(base, cap).jitter(Jitter::None)
    };
    let took = async |backoff: Option<Exponential>| {
        let server = Mock::new();
        server.any("/").always(lost());
        let paced = match backoff {
            Some(schedule) => Either::Left(BackoffLayer::new(schedule)),
            None => Either::Right(tower::layer::util::Identity::new()),
        };
        let start = Instant::now();
        let retry = RetryLayer::new().attempts(4).pauses(seconds(2, 60));
        let client = retry.layer(paced.layer(server));
        let request = Request::get("http://bank.example/").body(Body::empty());
        assert!(
            client
                .oneshot(request.expect("a valid request"))
                .await
                .is_err()
        );
        start.elapsed().as_secs()
    };
    assert_eq!(took(None).await, 2 + 4 + 8);
    assert_eq!(took(Some(seconds(1, 60))).await, 2 + 4 + 8);
    assert_eq!(took(Some(seconds(3, 60))).await, 3 + 6 + 12);
    assert_eq!(took(Some(seconds(5, 5))).await, 5 + 5 + 8);
}
