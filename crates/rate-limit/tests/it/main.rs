//! The layers among others, on the paused clock.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests are tests"
)]

mod chaos;
mod concurrency;
mod contract;
mod feedback;
mod flood;
mod oracle;
mod pace;
mod refusal;
mod sharing;
mod shedding;
mod turns;

use std::future::{Ready, ready};
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{Request, Response, Uri};
use outrigger_core::{BoxError, find};
use outrigger_rate_limit::{Limited, Quota, RateLimitLayer};
use tokio::time::{Instant, sleep_until, timeout};
use tower::{Layer, Service, ServiceExt, service_fn};

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3_600);

fn number(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).unwrap()
}

/// So many calls a second, and so many at once.
fn quota(per_second: u32, burst: u32) -> Quota {
    Quota::per_second(number(per_second)).burst(number(burst))
}

/// So many calls a second and so many at once, and whoever comes waits.
fn patient(per_second: u32, burst: u32) -> RateLimitLayer {
    RateLimitLayer::new(quota(per_second, burst))
        .wait(HOUR)
        .queue(usize::MAX)
}

fn get() -> Request<u32> {
    to("http://a.example/")
}

fn to(uri: &'static str) -> Request<u32> {
    let mut request = Request::new(0);
    *request.uri_mut() = Uri::from_static(uri);
    request
}

/// Waits by the paused clock.
async fn pause(duration: Duration) {
    sleep_until(Instant::now() + duration).await;
}

/// What comes of a future that must not wait for ever.
async fn in_time<F: Future>(future: F) -> F::Output {
    timeout(10 * HOUR, future).await.expect("an end")
}

/// The refusal in an error.
fn limited(error: &BoxError) -> &Limited {
    find(&**error).expect("a refusal by the rate limit")
}

type Answer = Result<Response<()>, BoxError>;

/// What has come to a server, and when: the number in the request's body.
#[derive(Clone)]
struct Log {
    start: Instant,
    came: Arc<Mutex<Vec<(Duration, u32)>>>,
}

impl Log {
    fn new() -> Self {
        let (start, came) = (Instant::now(), Arc::default());
        Self { start, came }
    }

    /// A server that is always ready, writes down what comes, and answers at once.
    fn server(
        &self,
    ) -> impl Service<
        Request<u32>,
        Response = Response<()>,
        Error = BoxError,
        Future = Ready<Answer>,
    > + Clone
    + Send
    + use<> {
        let log = self.clone();
        service_fn(move |request: Request<u32>| {
            let came = (log.start.elapsed(), *request.body());
            log.came.lock().unwrap().push(came);
            ready(Ok(Response::new(())))
        })
    }

    fn came(&self) -> Vec<(Duration, u32)> {
        self.came.lock().unwrap().clone()
    }

    fn times(&self) -> Vec<u128> {
        self.came().iter().map(|(at, _)| at.as_millis()).collect()
    }

    fn numbers(&self) -> Vec<u32> {
        self.came().iter().map(|(_, number)| *number).collect()
    }
}
