//! Services and requests that the tests share.

use std::future::{Future, Ready, pending, ready};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Empty;
use outrigger_core::{BoxError, Fault, Outcome, find};
use outrigger_timeout::{Elapsed, Phase};
use tokio::time::{Instant, sleep_until};

pub(crate) const MS: Duration = Duration::from_millis(1);
pub(crate) const SECOND: Duration = Duration::from_secs(1);

pub(crate) type Nothing = Empty<Bytes>;

pub(crate) fn get() -> Request<Nothing> {
    Request::new(Empty::new())
}

pub(crate) fn ok() -> Response<Nothing> {
    Response::new(Empty::new())
}

/// Waits by the paused clock.
pub(crate) async fn pause(duration: Duration) {
    sleep_until(Instant::now() + duration).await;
}

/// Answers after `delay`, whatever is asked.
pub(crate) fn answers_after<B>(
    delay: Duration,
) -> impl tower::Service<
    Request<B>,
    Response = Response<Nothing>,
    Error = BoxError,
    Future: Future + Send,
> + Clone {
    tower::service_fn(move |_: Request<B>| async move {
        pause(delay).await;
        Ok::<_, BoxError>(ok())
    })
}

/// Never answers.
pub(crate) fn never_answers<B>()
-> impl tower::Service<Request<B>, Response = Response<Nothing>, Error = BoxError, Future: Future + Send>
+ Clone {
    tower::service_fn(|_: Request<B>| pending::<Result<Response<Nothing>, BoxError>>())
}

/// Answers one call at once, with this body.
pub(crate) fn answers_with<B, R>(
    body: R,
) -> impl tower::Service<
    Request<B>,
    Response = Response<R>,
    Error = BoxError,
    Future = Ready<Result<Response<R>, BoxError>>,
> + Clone {
    let body = Arc::new(Mutex::new(Some(body)));
    tower::service_fn(move |_: Request<B>| {
        let body = body.lock().unwrap().take();
        ready(Ok(Response::new(body.expect("one call"))))
    })
}

/// What came of a future, and how long it took.
pub(crate) async fn timed<F: Future>(future: F) -> (F::Output, Duration) {
    let start = Instant::now();
    let output = future.await;
    (output, start.elapsed())
}

/// The `Elapsed` of a result that must be one: phase, limit, and what may have been sent.
pub(crate) fn elapsed<T>(result: Result<T, BoxError>) -> (Phase, Duration, Outcome) {
    let error = result.err().expect("the limit to have passed");
    let elapsed = find::<Elapsed>(&*error).expect("an Elapsed");
    let outcome = Fault::of(&*error).outcome;
    (elapsed.phase(), elapsed.limit(), outcome)
}
