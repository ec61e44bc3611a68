//! The limits among the other layers, on the paused clock: each attempt pays, a wait is nobody's fault,
//! and the deadline is asked before anybody waits.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use outrigger_breaker::{BreakerHandle, BreakerLayer, State};
use outrigger_core::{BoxError, find};
use outrigger_rate_limit::{ConcurrencyLayer, Limited, Quota, RateLimitLayer};
use outrigger_retry::{Budget, Exponential, RetryLayer};
use outrigger_timeout::DeadlineLayer;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use tower::{Service, ServiceBuilder, ServiceExt, service_fn};

type Body = Full<Bytes>;

const SECOND: Duration = Duration::from_secs(1);

fn rate(per_second: u32, burst: u32) -> RateLimitLayer {
    let [calls, burst] = [per_second, burst].map(|number| NonZeroU32::new(number).unwrap());
    RateLimitLayer::new(Quota::per_second(calls).burst(burst)).wait(60 * SECOND)
}

fn get(uri: &str) -> Request<Body> {
    Request::get(uri).body(Body::default()).unwrap()
}

/// When something came to a server.
#[derive(Clone, Default)]
struct Came(Arc<Mutex<Vec<Instant>>>);

impl Came {
    /// A server that answers every request with this status, and writes down when it came.
    fn server<B: Send>(
        &self,
        status: StatusCode,
    ) -> impl Service<Request<B>, Response = Response<Body>, Error = BoxError, Future: Send>
    + Clone
    + Send
    + use<B> {
        let came = self.clone();
        service_fn(move |_: Request<B>| {
            came.0.lock().unwrap().push(Instant::now());
            let response = Response::builder().status(status);
            std::future::ready(response.body(Body::default()).map_err(BoxError::from))
        })
    }

    fn times(&self) -> Vec<Instant> {
        self.0.lock().unwrap().clone()
    }
}

#[tokio::test(start_paused = true)]
async fn each_attempt_of_a_call_pays() {
    let came = Came::default();
    let pause = Exponential::new(Duration::from_millis(1), Duration::from_millis(1));
    let retry = RetryLayer::new()
        .budget(Budget::ratio(1, 0))
        .throttled_pauses(pause.clone())
        .pauses(pause);
    let service = ServiceBuilder::new()
        .layer(retry)
        .layer(rate(10, 10))
        .service(came.server(StatusCode::SERVICE_UNAVAILABLE));
    let mut calls = JoinSet::new();
    for _ in 0..20 {
        calls.spawn(service.clone().oneshot(get("http://a.example/")));
    }
    assert!(calls.join_all().await.iter().all(Result::is_ok));
    let times = came.times();
    assert_eq!(times.len(), 60, "three attempts a call");
    for from in &times {
        let window = times
            .iter()
            .filter(|at| *at >= from && **at < *from + SECOND);
        assert!(window.count() <= 20, "ten at once, and ten in the second");
    }
    assert_eq!(*times.last().unwrap() - times[0], 5 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_no_fault_of_the_peers() {
    let (came, handle) = (Came::default(), BreakerHandle::new());
    let service = ServiceBuilder::new()
        .layer(BreakerLayer::default().handle(&handle))
        .layer(rate(1, 1).refuse())
        .service(came.server(StatusCode::OK));
    for n in 0..100 {
        let answer = service.clone().oneshot(get("http://a.example/")).await;
        assert_eq!(answer.is_ok(), n == 0);
    }
    let circuit = handle.snapshots().pop().unwrap();
    assert_eq!(circuit.state(), State::Closed);
    sleep_until(Instant::now() + SECOND).await;
    assert!(service.oneshot(get("http://a.example/")).await.is_ok());
    assert_eq!(came.times().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_call_whose_turn_comes_after_its_deadline_is_refused_at_once() {
    let service = ServiceBuilder::new()
        .layer(DeadlineLayer::new(SECOND / 2))
        .layer(rate(1, 1))
        .service(Came::default().server(StatusCode::OK));
    service
        .clone()
        .oneshot(get("http://a.example/"))
        .await
        .unwrap();
    let start = Instant::now();
    let error = service
        .oneshot(get("http://a.example/"))
        .await
        .map(drop)
        .unwrap_err();
    assert!(find::<Limited>(&*error).is_some(), "{error:?}");
    assert_eq!(start.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_retry_returns_a_refusal_at_once_unless_it_is_told_to_wait() {
    for (patience, answered, after) in [(Duration::ZERO, false, 0), (2 * SECOND, true, 1)] {
        let service = ServiceBuilder::new()
            .layer(RetryLayer::new().wait_for_rejections(patience))
            .layer(rate(1, 1).refuse())
            .service(Came::default().server(StatusCode::OK));
        service
            .clone()
            .oneshot(get("http://a.example/"))
            .await
            .unwrap();
        let start = Instant::now();
        let answer = service.oneshot(get("http://a.example/")).await;
        assert_eq!(
            (answer.is_ok(), start.elapsed().as_secs()),
            (answered, after)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_a_token_holds_no_permit() {
    let service = ServiceBuilder::new()
        .layer(rate(1, 1))
        .layer(ConcurrencyLayer::new(NonZeroU32::MIN).shared())
        .service(Came::default().server(StatusCode::OK));
    drop(
        service
            .clone()
            .oneshot(get("http://a.example/"))
            .await
            .unwrap(),
    );
    let waiting = tokio::spawn(service.clone().oneshot(get("http://a.example/")));
    tokio::task::yield_now().await;
    let start = Instant::now();
    drop(service.oneshot(get("http://b.example/")).await.unwrap());
    assert_eq!(start.elapsed(), Duration::ZERO);
    assert!(waiting.await.unwrap().is_ok());
}
