//! The circuit breaker among the other layers and over real sockets: what opens it, and what must not.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod grpc;

use std::convert::Infallible;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty};
use outrigger_breaker::{BreakerHandle, BreakerLayer, Open, Ratio, Snapshot, State, Trip};
use outrigger_connector::{Connector, HttpVersion};
use outrigger_core::{BoxError, Elapsed, Phase, find};
use outrigger_rate_limit::{ConcurrencyLayer, Quota, RateLimitLayer};
use outrigger_retry::RetryLayer;
use outrigger_testkit::Server;
use outrigger_testkit::upstream::Upstream;
use outrigger_timeout::{DeadlineLayer, TimeoutLayer, Timeouts};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};
use tower::buffer::Buffer;
use tower::{Service, ServiceBuilder, ServiceExt, service_fn};

type Body = Empty<Bytes>;

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const ENDPOINT: &str = "http://a.example:80";

fn get(uri: &str) -> Request<Body> {
    Request::get(uri).body(Body::new()).unwrap()
}

async fn pause(duration: Duration) {
    sleep_until(Instant::now() + duration).await;
}

fn only(handle: &BreakerHandle) -> Snapshot {
    let mut seen = handle.snapshots();
    assert_eq!(seen.len(), 1);
    seen.remove(0)
}

fn is_open<R>(result: &Result<R, BoxError>) -> bool {
    matches!(result, Err(error) if find::<Open>(&**error).is_some())
}

/// A server that answers so after so long, and counts.
fn server(
    status: StatusCode,
    after: Duration,
    calls: &Arc<AtomicUsize>,
) -> impl Service<
    Request<outrigger_timeout::RequestBody<Body>>,
    Response = Response<Body>,
    Error = Infallible,
    Future: Send,
> + Clone
+ use<> {
    let calls = Arc::clone(calls);
    service_fn(move |_: Request<outrigger_timeout::RequestBody<Body>>| {
        calls.fetch_add(1, Ordering::Relaxed);
        async move {
            pause(after).await;
            let mut response = Response::new(Body::new());
            *response.status_mut() = status;
            Ok(response)
        }
    })
}

#[tokio::test(start_paused = true)]
async fn a_black_hole_opens_it_through_the_attempt_timeout_below() {
    let (handle, calls) = (BreakerHandle::new(), Arc::default());
    let service = ServiceBuilder::new()
        .layer(BreakerLayer::default().handle(&handle))
        .layer(TimeoutLayer::new(100 * MS))
        .service(server(StatusCode::OK, 100_000 * SECOND, &calls));
    for _ in 0..5 {
        let error = service.clone().oneshot(get(ENDPOINT)).await.unwrap_err();
        assert_eq!(find::<Elapsed>(&*error).unwrap().phase(), Phase::Attempt);
    }
    assert!(is_open(&service.clone().oneshot(get(ENDPOINT)).await));
    assert_eq!(calls.load(Ordering::Relaxed), 5);
}

#[tokio::test(start_paused = true)]
async fn hasty_callers_do_not_open_everybodys_circuit() {
    let (handle, calls) = (BreakerHandle::new(), Arc::default());
    let service = ServiceBuilder::new()
        .layer(DeadlineLayer::default())
        .layer(BreakerLayer::default().handle(&handle))
        .layer(TimeoutLayer::default().shortest(Duration::ZERO))
        .service(server(StatusCode::OK, 20 * MS, &calls));
    for _ in 0..1_000 {
        let mut request = get(ENDPOINT);
        request.extensions_mut().insert(Timeouts::new().total(MS));
        let error = service.clone().oneshot(request).await.unwrap_err();
        assert_eq!(find::<Elapsed>(&*error).unwrap().phase(), Phase::Total);
    }
    for _ in 0..50 {
        let cancelled = timeout(10 * MS, service.clone().oneshot(get(ENDPOINT))).await;
        assert!(cancelled.is_err());
    }
    assert_eq!(
        (only(&handle).state(), only(&handle).failures()),
        (State::Closed, 0)
    );
    assert!(service.oneshot(get(ENDPOINT)).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_server_that_gives_up_with_the_callers_deadline_is_not_to_blame() {
    let (handle, calls) = (BreakerHandle::new(), Arc::default());
    let service = ServiceBuilder::new()
        .layer(DeadlineLayer::new(100 * MS))
        .layer(BreakerLayer::default().handle(&handle))
        .layer(TimeoutLayer::default())
        .service(server(StatusCode::GATEWAY_TIMEOUT, 95 * MS, &calls));
    for _ in 0..50 {
        assert!(service.clone().oneshot(get(ENDPOINT)).await.is_ok());
    }
    assert_eq!(only(&handle).failures(), 0);

    let service = ServiceBuilder::new()
        .layer(DeadlineLayer::new(SECOND))
        .layer(BreakerLayer::default())
        .layer(TimeoutLayer::default())
        .service(server(StatusCode::GATEWAY_TIMEOUT, 95 * MS, &calls));
    for _ in 0..5 {
        assert!(service.clone().oneshot(get(ENDPOINT)).await.is_ok());
    }
    assert!(
        is_open(&service.oneshot(get(ENDPOINT)).await),
        "it gave up early"
    );
}

#[tokio::test(start_paused = true)]
async fn waiting_in_the_limits_below_never_counts_against_the_peer() {
    let (handle, calls) = (BreakerHandle::new(), Arc::default());
    let slow = Trip::slow(Ratio::percent(1))
        .min_calls(1)
        .or(Trip::default());
    let two = NonZeroU32::new(2).unwrap();
    let service = ServiceBuilder::new()
        .layer(BreakerLayer::new(slow).slow_call(500 * MS).handle(&handle))
        .layer(RateLimitLayer::new(Quota::per_second(two).burst(two)).wait(60 * SECOND))
        .layer(ConcurrencyLayer::new(NonZeroU32::MIN).wait(60 * SECOND))
        .layer(TimeoutLayer::new(SECOND))
        .service(server(StatusCode::OK, 400 * MS, &calls));
    let mut waiting = JoinSet::new();
    for _ in 0..40 {
        waiting.spawn(service.clone().oneshot(get(ENDPOINT)));
    }
    pause(5 * SECOND).await;
    let impatient = timeout(SECOND, service.clone().oneshot(get(ENDPOINT))).await;
    assert!(impatient.is_err());
    while let Some(answer) = waiting.join_next().await {
        assert!(answer.unwrap().is_ok());
    }
    let seen = only(&handle);
    assert_eq!(
        (seen.state(), seen.slow(), seen.failures()),
        (State::Closed, 0, 0)
    );
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_a_slot_while_the_circuit_opens_is_refused_when_its_turn_comes() {
    let (handle, calls) = (BreakerHandle::new(), Arc::default());
    let one = NonZeroU32::MIN;
    let service = ServiceBuilder::new()
        .layer(BreakerLayer::new(Trip::consecutive(3)).handle(&handle))
        .layer(RateLimitLayer::new(Quota::per_second(one).burst(one)).wait(60 * SECOND))
        .layer(TimeoutLayer::default())
        .service(server(StatusCode::SERVICE_UNAVAILABLE, MS, &calls));
    let mut waiting = JoinSet::new();
    for _ in 0..7 {
        waiting.spawn(service.clone().oneshot(get(ENDPOINT)));
    }
    let (mut answered, mut refused) = (0, 0);
    while let Some(answer) = waiting.join_next().await {
        let answer = answer.unwrap();
        refused += usize::from(is_open(&answer));
        answered += usize::from(answer.is_ok());
    }
    // The third failure comes after 2 s; the last slot is at 6 s, before the circuit may be probed.
    assert_eq!((answered, refused), (3, 4));
    assert_eq!(calls.load(Ordering::Relaxed), 3);
}

#[tokio::test(start_paused = true)]
async fn under_a_retry_and_within_a_buffer_it_opens_refuses_and_closes() {
    let calls = Arc::<AtomicUsize>::default();
    let ill = Arc::new(AtomicUsize::new(6));
    let counted = Arc::clone(&calls);
    let peer = service_fn(move |_: Request<_>| {
        counted.fetch_add(1, Ordering::Relaxed);
        let left = ill.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
            left.checked_sub(1)
        });
        async move {
            let mut response = Response::new(Body::new());
            if left.is_ok() {
                *response.status_mut() = StatusCode::BAD_GATEWAY;
            }
            Ok::<_, BoxError>(response)
        }
    });
    let stack = ServiceBuilder::new()
        .layer(RetryLayer::new())
        .layer(BreakerLayer::default())
        .layer(TimeoutLayer::default())
        .service(peer);
    let service = Buffer::new(stack, 4);
    for status in [502, 502] {
        // Three attempts, then two and a refusal: what the peer said is returned.
        let response = service.clone().oneshot(get(ENDPOINT)).await.unwrap();
        assert_eq!(response.status(), status);
    }
    assert_eq!(calls.load(Ordering::Relaxed), 5);
    let refused = service.clone().oneshot(get(ENDPOINT)).await;
    assert!(is_open(&refused));
    assert_eq!(calls.load(Ordering::Relaxed), 5, "no attempt was made");
    for _ in 0..60 {
        pause(SECOND).await;
        let _ = service.clone().oneshot(get(ENDPOINT)).await;
    }
    assert!(service.clone().oneshot(get(ENDPOINT)).await.is_ok());
}

#[tokio::test]
async fn waiting_in_the_connectors_queue_never_counts_against_the_peer() {
    let upstream = Server::bind(Upstream::new()).await.unwrap();
    let handle = BreakerHandle::new();
    let slow = Trip::slow(Ratio::percent(1))
        .min_calls(1)
        .or(Trip::default());
    let connector = Connector::new()
        .http(HttpVersion::Http1)
        .max_connections_per_endpoint(1)
        .acquire_timeout(20 * SECOND);
    let service = ServiceBuilder::new()
        .layer(BreakerLayer::new(slow).slow_call(900 * MS).handle(&handle))
        .layer(TimeoutLayer::new(10 * SECOND))
        .service(connector);
    let began = Instant::now();
    let mut waiting = JoinSet::new();
    for _ in 0..12 {
        let call = service.clone().oneshot(get(&upstream.url("/delay/100ms")));
        waiting.spawn(async move { call.await?.into_body().collect().await });
    }
    while let Some(answer) = waiting.join_next().await {
        assert!(answer.unwrap().is_ok());
    }
    assert!(
        began.elapsed() > 900 * MS,
        "longer in all than one may take"
    );
    let seen = only(&handle);
    assert_eq!(
        (seen.state(), seen.slow(), seen.failures(), seen.calls()),
        (State::Closed, 0, 0, 12)
    );
}

#[tokio::test]
async fn over_a_socket_a_dead_port_and_broken_bodies_open_it() {
    let upstream = Server::bind(Upstream::new()).await.unwrap();
    let service = ServiceBuilder::new()
        .layer(BreakerLayer::default())
        .layer(TimeoutLayer::default())
        .service(Connector::new().http(HttpVersion::H2c));
    for _ in 0..5 {
        let response = service
            .clone()
            .oneshot(get(&upstream.url("/truncate/1000")))
            .await;
        assert!(response.unwrap().into_body().collect().await.is_err());
    }
    assert!(is_open(
        &service.clone().oneshot(get(&upstream.url("/"))).await
    ));

    let gone = upstream.url("/").replace("127.0.0.1", "localhost");
    drop(upstream);
    for _ in 0..5 {
        assert!(!is_open(&service.clone().oneshot(get(&gone)).await));
    }
    assert!(
        is_open(&service.oneshot(get(&gone)).await),
        "connections refused"
    );
}
