//! Attempts within a deadline: how long each may take, and what the caller is told.

use std::future::{Ready, ready};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{Request, Response};
use outrigger_core::call::{self, Dispatch};
use outrigger_core::{BoxError, Fault, Outcome};
use outrigger_timeout::{DeadlineLayer, Elapsed, Phase, TimeoutLayer};
use tokio::time::Instant;
use tower::retry::Policy;
use tower::{ServiceBuilder, ServiceExt};

use super::support::*;

type Answer = Result<Response<outrigger_timeout::ResponseBody<Nothing>>, BoxError>;

/// Tries again at once, as often as may be, and notes how each attempt ended and when.
#[derive(Clone)]
struct Again {
    begun: Instant,
    ends: Arc<Mutex<Vec<(Duration, Phase)>>>,
}

impl<R> Policy<Request<Nothing>, R, BoxError> for Again {
    type Future = Ready<()>;

    fn retry(
        &mut self,
        _: &mut Request<Nothing>,
        result: &mut Result<R, BoxError>,
    ) -> Option<Ready<()>> {
        let error = result.as_ref().err()?;
        let elapsed = outrigger_core::find::<Elapsed>(&**error)?;
        self.ends
            .lock()
            .unwrap()
            .push((self.begun.elapsed(), elapsed.phase()));
        Fault::of(&**error).retry.then(|| ready(()))
    }

    fn clone_request(&mut self, _: &Request<Nothing>) -> Option<Request<Nothing>> {
        Some(get())
    }
}

async fn attempts(total: Duration, limit: Duration) -> (Answer, Vec<(Duration, Phase)>) {
    let again = Again {
        begun: Instant::now(),
        ends: Arc::default(),
    };
    let ends = Arc::clone(&again.ends);
    let stack = ServiceBuilder::new()
        .layer(DeadlineLayer::new(total))
        .retry(again)
        .layer(TimeoutLayer::new(limit))
        .service(never_answers());
    let answer = stack
        .oneshot(get())
        .await
        .map(|response| response.map(|_| Default::default()));
    let ends = ends.lock().unwrap().clone();
    (answer, ends)
}

#[tokio::test(start_paused = true)]
async fn the_last_attempt_gets_what_is_left() {
    let (answer, ends) = attempts(250 * MS, 100 * MS).await;
    let expected = [
        (100, Phase::Attempt),
        (200, Phase::Attempt),
        (250, Phase::Total),
    ];
    assert_eq!(ends, expected.map(|(at, phase)| (at * MS, phase)));
    // The call's whole patience, not what was left for the last attempt.
    assert_eq!(
        elapsed(answer),
        (Phase::Total, 250 * MS, Outcome::Ambiguous)
    );
}

#[tokio::test(start_paused = true)]
async fn an_attempt_refused_for_lack_of_time_does_not_undo_the_one_before() {
    let (answer, ends) = attempts(105 * MS, 100 * MS).await;
    let expected = [(100, Phase::Attempt), (100, Phase::Total)];
    assert_eq!(ends, expected.map(|(at, phase)| (at * MS, phase)));
    assert_eq!(
        elapsed(answer),
        (Phase::Total, 105 * MS, Outcome::Ambiguous)
    );
}

#[tokio::test(start_paused = true)]
async fn what_an_earlier_attempt_sent_is_not_forgotten_while_the_next_one_waits() {
    // The first attempt is sent and fails; the second is still waiting for a connection at the end.
    let sends = Arc::new(Mutex::new(1));
    let transport = tower::service_fn(move |_: Request<Nothing>| {
        let sends = std::mem::take(&mut *sends.lock().unwrap()) == 1;
        call::update(|call| call.report(Dispatch::Waiting));
        async move {
            if !sends {
                return std::future::pending().await;
            }
            call::update(|call| call.report(Dispatch::Sent(Instant::now())));
            let reset = Elapsed::new(Phase::Attempt, MS);
            Err::<Response<Nothing>, BoxError>(reset.into())
        }
    });
    let again = Again {
        begun: Instant::now(),
        ends: Arc::default(),
    };
    let stack = ServiceBuilder::new()
        .layer(DeadlineLayer::new(SECOND))
        .retry(again)
        .service(transport);
    let result = stack.oneshot(get()).await;
    assert_eq!(elapsed(result), (Phase::Total, SECOND, Outcome::Ambiguous));
}
