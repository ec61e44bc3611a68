//! What several tests need.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{Method, Request, Response};
use outrigger_core::call::{self, Call, Scope};
use outrigger_core::{Blame, BoxError, Failure, Fault, Outcome};
use outrigger_retry::{Attempt, Exponential, Jitter, RetryBody, RetryLayer};
use outrigger_testkit::{Body, mock};

pub(crate) type Answer = Result<Response<RetryBody<Body>>, BoxError>;

pub(crate) const URI: &str = "http://upstream.test/";

pub(crate) fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub(crate) fn request(method: Method) -> Request<Body> {
    let request = Request::builder().method(method).uri(URI);
    request.body(Body::from("payload")).unwrap()
}

/// The default layer without chance: pauses of 50, 100, 200 ms, and of 1, 2, 4 s after throttling.
pub(crate) fn steady() -> RetryLayer {
    let (base, cap) = RetryLayer::DEFAULT_PAUSES;
    let (throttled, throttled_cap) = RetryLayer::DEFAULT_THROTTLED_PAUSES;
    RetryLayer::new()
        .pauses(Exponential::new(base, cap).jitter(Jitter::None))
        .throttled_pauses(Exponential::new(throttled, throttled_cap).jitter(Jitter::None))
}

/// An outcome of the mock that is an error with this meaning.
pub(crate) fn failing(outcome: Outcome) -> mock::Outcome {
    mock::Outcome::error(move || Failure::new("scripted", Fault::new(outcome)))
}

/// The same, with which trying again cannot help.
pub(crate) fn failing_for_good(outcome: Outcome) -> mock::Outcome {
    let fault = Fault::new(outcome).blame(Blame::Caller).without_retry();
    mock::Outcome::error(move || Failure::new("scripted", fault))
}

/// Makes a call within a Call of which this was said before.
pub(crate) async fn within<F: Future>(
    said: impl Fn(&mut Call),
    call: impl FnOnce() -> F,
) -> F::Output {
    let mut scope = Scope::begin();
    let mut future = pin!(scope.run(|| {
        call::update(said);
        call()
    }));
    poll_fn(|cx| scope.run(|| future.as_mut().poll(cx))).await
}

/// What a layer has shown of an attempt.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shown {
    pub(crate) number: u32,
    pub(crate) waited: Duration,
    pub(crate) prevented: bool,
}

/// Writes down what a layer shows of its attempts.
#[derive(Clone, Default)]
pub(crate) struct Seen(Arc<Mutex<Vec<Shown>>>);

impl Seen {
    pub(crate) fn by(&self) -> impl Fn(&Attempt) + Send + Sync + 'static {
        let seen = self.clone();
        move |attempt| {
            seen.0.lock().unwrap().push(Shown {
                number: attempt.number,
                waited: attempt.waited,
                prevented: attempt.prevented,
            });
        }
    }

    pub(crate) fn all(&self) -> Vec<Shown> {
        self.0.lock().unwrap().clone()
    }

    pub(crate) fn pauses(&self) -> Vec<Duration> {
        self.all().iter().map(|attempt| attempt.waited).collect()
    }
}
