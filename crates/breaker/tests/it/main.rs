//! The layer among others, on the paused clock.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "helpers of tests are tests"
)]

mod bodies;
mod chaos;
mod contract;
mod flood;
mod handle;
mod probes;
mod recall;
mod slow;
mod states;
mod traffic;
mod upsets;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode, Uri};
use http_body_util::Empty;
use outrigger_breaker::{BreakerLayer, Open, State, Trip};
use outrigger_core::{BoxError, Classify, find};
use tokio::time::{Instant, sleep_until, timeout};
use tower::{Layer, Service, ServiceExt, service_fn};

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

type Body = Empty<Bytes>;
type Answer = Result<Response<Body>, BoxError>;

/// Opens after three failures in a row, for 5 s give or take a fifth.
fn three() -> BreakerLayer {
    BreakerLayer::new(Trip::consecutive(3))
}

fn get() -> Request<()> {
    to("http://a.example/")
}

fn to(uri: &'static str) -> Request<()> {
    let mut request = Request::new(());
    *request.uri_mut() = Uri::from_static(uri);
    request
}

fn answer(status: u16) -> Answer {
    Ok(Response::builder().status(status).body(Body::new())?)
}

/// Waits by the paused clock.
async fn pause(duration: Duration) {
    sleep_until(Instant::now() + duration).await;
}

/// What comes of a future that must not wait for ever.
async fn in_time<F: Future>(future: F) -> F::Output {
    let output = timeout(10_000 * SECOND, future).await;
    output.expect("an end")
}

/// What a call came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Came {
    To(u16),
    ToRefusal(State),
    ToError,
}

const REFUSED: Came = Came::ToRefusal(State::Open);

/// Makes a call and says what it came to; its body is dropped.
async fn call<S, B>(service: &S, request: Request<()>) -> Came
where
    S: Service<Request<()>, Response = Response<B>, Error = BoxError> + Clone,
{
    came(&in_time(service.clone().oneshot(request)).await)
}

fn came<B>(result: &Result<Response<B>, BoxError>) -> Came {
    match result {
        Ok(response) => Came::To(response.status().as_u16()),
        Err(error) => match find::<Open>(&**error) {
            Some(open) => Came::ToRefusal(open.state()),
            None => Came::ToError,
        },
    }
}

/// A peer that answers as it is told, at once, and counts.
#[derive(Clone)]
struct Peer {
    answer: Arc<Mutex<fn() -> Answer>>,
    calls: Arc<AtomicUsize>,
}

impl Peer {
    fn new(answer: fn() -> Answer) -> Self {
        Self {
            answer: Arc::new(Mutex::new(answer)),
            calls: Arc::default(),
        }
    }

    fn well() -> Self {
        Self::new(|| answer(200))
    }

    fn ill() -> Self {
        Self::new(|| answer(503))
    }

    fn turns(&self, answer: fn() -> Answer) {
        *self.answer.lock().unwrap() = answer;
    }

    /// How many calls have come since this was asked last.
    fn calls(&self) -> usize {
        self.calls.swap(0, Ordering::Relaxed)
    }

    fn serve(
        &self,
    ) -> impl Service<Request<()>, Response = Response<Body>, Error = BoxError, Future: Send>
    + Clone
    + use<> {
        let peer = self.clone();
        service_fn(move |_: Request<()>| {
            peer.calls.fetch_add(1, Ordering::Relaxed);
            let answer = *peer.answer.lock().unwrap();
            async move { answer() }
        })
    }
}

/// Fails so many calls.
async fn fail<S, B>(service: &S, times: usize)
where
    S: Service<Request<()>, Response = Response<B>, Error = BoxError> + Clone,
{
    for _ in 0..times {
        let came = call(service, get()).await;
        assert!(matches!(came, Came::To(503) | Came::ToError), "{came:?}");
    }
}

/// A classifier that panics when the peer says so.
#[derive(Clone, Debug)]
struct Touchy;

impl Classify for Touchy {
    fn head(
        &self,
        status: StatusCode,
        headers: &http::HeaderMap,
    ) -> Option<outrigger_core::Verdict> {
        assert_ne!(status, StatusCode::IM_A_TEAPOT, "user code");
        outrigger_core::HttpClassify.head(status, headers)
    }
}
