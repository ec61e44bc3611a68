//! What the server is told of the time that is left.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{HeaderMap, HeaderName, Request};
use outrigger_core::BoxError;
use outrigger_core::grpc_timeout::{self, GRPC_TIMEOUT};
use outrigger_timeout::{DeadlineLayer, TimeoutLayer, Timeouts};
use tower::{Layer, Service, ServiceExt};

use super::support::*;

const LEFT: HeaderName = HeaderName::from_static("x-timeout-ms");

type Seen = Arc<Mutex<Vec<HeaderMap>>>;

/// Notes the headers of each request and fails it 300 ms later.
fn noting<B>(
    seen: &Seen,
) -> impl Service<Request<B>, Response = http::Response<Nothing>, Error = BoxError> + Clone {
    let seen = Arc::clone(seen);
    tower::service_fn(move |request: Request<B>| {
        seen.lock().unwrap().push(request.headers().clone());
        async {
            pause(300 * MS).await;
            Err(BoxError::from("unavailable"))
        }
    })
}

fn grpc() -> Request<Nothing> {
    Request::post("/echo.Echo/Unary")
        .header("content-type", "application/grpc+proto")
        .body(Nothing::new())
        .unwrap()
}

/// The headers of one attempt under these layers.
async fn told(layer: TimeoutLayer, request: Request<Nothing>) -> HeaderMap {
    let seen = Seen::default();
    let stack = (DeadlineLayer::new(SECOND), layer);
    assert!(stack.layer(noting(&seen)).oneshot(request).await.is_err());
    seen.lock().unwrap().pop().expect("an attempt")
}

#[tokio::test(start_paused = true)]
async fn each_attempt_is_told_what_is_left_for_it() {
    let seen = Seen::default();
    let retry = tower::retry::RetryLayer::new(Attempts(3));
    let stack = (
        DeadlineLayer::new(SECOND),
        retry,
        TimeoutLayer::new(600 * MS).header(LEFT),
    );
    assert!(stack.layer(noting(&seen)).oneshot(grpc()).await.is_err());
    let seen = seen.lock().unwrap();
    let values = |name: &HeaderName| -> Vec<String> {
        seen.iter()
            .map(|headers| headers[name].to_str().unwrap().to_owned())
            .collect()
    };
    // The deadline leaves 1000, 700 and 400 ms.
    assert_eq!(values(&LEFT), ["600", "600", "400"]);
    let grpc: Vec<_> = seen
        .iter()
        .map(|headers| grpc_timeout::parse(&headers[GRPC_TIMEOUT]))
        .collect();
    assert_eq!(
        grpc,
        [600, 600, 400].map(|ms| Some(Duration::from_millis(ms)))
    );
}

/// Tries again at once until so many attempts were made.
#[derive(Clone)]
struct Attempts(usize);

impl<R> tower::retry::Policy<Request<Nothing>, R, BoxError> for Attempts {
    type Future = std::future::Ready<()>;

    fn retry(
        &mut self,
        _: &mut Request<Nothing>,
        result: &mut Result<R, BoxError>,
    ) -> Option<Self::Future> {
        self.0 -= 1;
        (result.is_err() && self.0 > 0).then(|| std::future::ready(()))
    }

    fn clone_request(&mut self, request: &Request<Nothing>) -> Option<Request<Nothing>> {
        Some(request.clone())
    }
}

#[tokio::test(start_paused = true)]
async fn a_timeout_of_the_callers_is_never_lengthened() {
    let mut request = grpc();
    request
        .headers_mut()
        .insert(GRPC_TIMEOUT, "250m".parse().unwrap());
    let headers = told(TimeoutLayer::default(), request).await;
    assert_eq!(grpc_timeout::parse(&headers[GRPC_TIMEOUT]), Some(250 * MS));
}

#[tokio::test(start_paused = true)]
async fn plain_http_is_told_only_in_a_header_that_was_named() {
    let headers = told(TimeoutLayer::default(), get()).await;
    assert!(headers.is_empty());
    let headers = told(TimeoutLayer::default().header(LEFT), get()).await;
    assert_eq!(headers[LEFT], "1000");
    assert!(!headers.contains_key(GRPC_TIMEOUT));
}

#[tokio::test(start_paused = true)]
async fn zero_is_never_sent() {
    let mut request = get();
    request
        .extensions_mut()
        .insert(Timeouts::new().total(MS / 2));
    let eager = TimeoutLayer::default()
        .header(LEFT)
        .shortest(Duration::ZERO);
    let headers = told(eager, request).await;
    assert_eq!(headers[LEFT], "1");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_told_where_nothing_bounds_the_attempt() {
    let seen = Seen::default();
    let layer = TimeoutLayer::new(Duration::MAX).header(LEFT);
    assert!(layer.layer(noting(&seen)).oneshot(grpc()).await.is_err());
    let seen = seen.lock().unwrap();
    assert!(!seen[0].contains_key(GRPC_TIMEOUT) && !seen[0].contains_key(LEFT));
}
