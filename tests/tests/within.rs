//! A client within another client's layers: its calls are calls of their own.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use outrigger::retry::{ReplayBody, RetryLayer};
use outrigger::timeout::DeadlineLayer;
use outrigger::{BoxError, Layers, SentBody};
use tokio::time::{Instant, sleep_until};
use tower::{Layer, ServiceExt, service_fn};

type Sent = SentBody<Full<Bytes>>;

const SECOND: Duration = Duration::from_secs(1);

fn request(method: Method) -> Request<Full<Bytes>> {
    let request = Request::builder().uri("http://a.example/").method(method);
    request.body(Full::default()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_call_within_a_call_does_not_shorten_the_outer_ones_time() {
    let mut layers = Layers::default();
    layers.deadline = DeadlineLayer::new(SECOND);
    let tokens = layers.over(service_fn(|_: Request<Sent>| async {
        Ok::<_, BoxError>(Response::new(Full::<Bytes>::default()))
    }));
    let client = outrigger::stack(service_fn(move |_: Request<Sent>| {
        let tokens = tokens.clone();
        async move {
            tokens.oneshot(request(Method::GET)).await?;
            sleep_until(Instant::now() + 2 * SECOND).await;
            Err::<Response<Full<Bytes>>, _>(BoxError::from("reset"))
        }
    }));
    let error = client.oneshot(request(Method::GET)).await.unwrap_err();
    assert_eq!(error.attempts().len(), 3, "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn a_key_that_is_honoured_outside_repeats_no_call_within() {
    let counted = Arc::new(AtomicU32::new(0));
    let counts = Arc::clone(&counted);
    let tokens = outrigger::stack(service_fn(move |_: Request<Sent>| {
        counts.fetch_add(1, Ordering::Relaxed);
        async { Err::<Response<Full<Bytes>>, _>(BoxError::from("reset")) }
    }));
    let fetch = service_fn(move |_: Request<Full<Bytes>>| {
        let tokens = tokens.clone();
        async move { tokens.oneshot(request(Method::POST)).await }
    });
    let idempotency = Layers::default().idempotency.server_honours(true);
    let client = idempotency.layer(fetch);
    assert!(client.oneshot(request(Method::POST)).await.is_err());
    let times = counted.load(Ordering::Relaxed);
    assert_eq!(times, 1, "it may have been executed");
}

#[tokio::test(start_paused = true)]
async fn attempts_do_not_multiply() {
    let counted = Arc::new(AtomicU32::new(0));
    let counts = Arc::clone(&counted);
    let client = outrigger::stack(service_fn(
        move |_: Request<SentBody<ReplayBody<Full<Bytes>>>>| {
            counts.fetch_add(1, Ordering::Relaxed);
            let answer = Response::builder().status(502);
            std::future::ready(
                answer
                    .body(Full::<Bytes>::default())
                    .map_err(BoxError::from),
            )
        },
    ));
    let client = RetryLayer::new().attempts(2).layer(client);
    let answer = client.oneshot(request(Method::GET)).await.unwrap();
    assert_eq!(
        (answer.status(), counted.load(Ordering::Relaxed)),
        (StatusCode::BAD_GATEWAY, 2)
    );
}
