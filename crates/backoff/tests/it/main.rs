//! The layer among others, on the paused clock.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "helpers of tests are tests"
)]

mod contract;
mod pacing;
mod refusal;
mod timeline;
mod upsets;

use std::future::{Ready, ready};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{Request, Response, StatusCode, Uri};
use outrigger_backoff::{BackoffLayer, Exponential, Jitter};
use outrigger_core::BoxError;
use tokio::time::{Instant, sleep_until, timeout};
use tower::{Service, ServiceExt, service_fn};

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

/// 1 s, 2 s, 4 s … 20 s, without jitter.
fn seconds() -> Exponential {
    Exponential::new(SECOND, 20 * SECOND).jitter(Jitter::None)
}

fn layer() -> BackoffLayer {
    BackoffLayer::new(seconds())
}

fn get() -> Request<()> {
    to("http://a.example/")
}

fn to(uri: &'static str) -> Request<()> {
    let mut request = Request::new(());
    *request.uri_mut() = Uri::from_static(uri);
    request
}

fn status(status: StatusCode) -> Response<()> {
    let mut response = Response::new(());
    *response.status_mut() = status;
    response
}

fn unavailable() -> Response<()> {
    status(StatusCode::SERVICE_UNAVAILABLE)
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

/// How long a call takes, whatever comes of it.
async fn took<S>(service: &S, request: Request<()>) -> Duration
where
    S: Service<Request<()>> + Clone,
{
    let start = Instant::now();
    let _ = in_time(service.clone().oneshot(request)).await;
    start.elapsed()
}

type Answer = Result<Response<()>, BoxError>;

/// What a server answers to the next calls; when it has nothing to say any more, 200.
#[derive(Clone, Default)]
struct Script(Arc<Mutex<Vec<Answer>>>);

impl Script {
    fn new(answers: impl IntoIterator<Item = Answer>) -> Self {
        let script = Self::default();
        script.then(answers);
        script
    }

    /// Fails this many times with 503.
    fn failures(times: usize) -> Self {
        Self::new((0..times).map(|_| Ok(unavailable())))
    }

    fn then(&self, answers: impl IntoIterator<Item = Answer>) {
        self.0.lock().unwrap().extend(answers);
    }

    fn next(&self) -> Answer {
        let mut answers = self.0.lock().unwrap();
        if answers.is_empty() {
            return Ok(status(StatusCode::OK));
        }
        answers.remove(0)
    }

    /// A server that is always ready and answers at once.
    fn server(
        &self,
    ) -> impl Service<Request<()>, Response = Response<()>, Error = BoxError, Future = Ready<Answer>>
    + Clone
    + use<> {
        let script = self.clone();
        service_fn(move |_: Request<()>| ready(script.next()))
    }
}
