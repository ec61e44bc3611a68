//! The attempt's limit: what it counts from, and what cuts it.

use std::future::{Future, pending};
use std::rc::Rc;
use std::time::Duration;

use http::{Request, Response};
use outrigger_core::call::{self, Dispatch};
use outrigger_core::{BoxError, Outcome};
use outrigger_timeout::{Deadline, DeadlineLayer, Phase, TimeoutLayer, Timeouts};
use tokio::time::Instant;
use tokio_test::{assert_pending, assert_ready, task};
use tower::limit::GlobalConcurrencyLimitLayer;
use tower::{Layer, Service, ServiceExt};

use super::support::*;

/// Waits for a connection, sends, and answers that long after; it reports the dispatch.
fn transport<B>(
    waiting: Duration,
    answering: Duration,
) -> impl Service<Request<B>, Response = Response<Nothing>, Error = BoxError, Future: Future> + Clone
{
    tower::service_fn(move |_: Request<B>| {
        call::update(|call| call.report(Dispatch::Waiting));
        async move {
            pause(waiting).await;
            call::update(|call| call.report(Dispatch::Sent(Instant::now())));
            pause(answering).await;
            Ok(ok())
        }
    })
}

#[tokio::test(start_paused = true)]
async fn an_attempt_elapses_at_its_limit() {
    let service = TimeoutLayer::new(SECOND).layer(never_answers());
    let (result, took) = timed(service.oneshot(get())).await;
    assert_eq!(
        elapsed(result),
        (Phase::Attempt, SECOND, Outcome::Ambiguous)
    );
    assert_eq!(took, SECOND);
}

#[tokio::test(start_paused = true)]
async fn an_answer_at_the_limit_itself_wins() {
    let service = TimeoutLayer::new(SECOND).layer(answers_after(SECOND));
    assert!(service.oneshot(get()).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn the_limit_counts_from_dispatch() {
    let service = TimeoutLayer::new(SECOND).layer(transport(5 * SECOND, 3 * SECOND));
    let (result, took) = timed(service.oneshot(get())).await;
    assert_eq!(
        elapsed(result),
        (Phase::Attempt, SECOND, Outcome::Ambiguous)
    );
    assert_eq!(took, 6 * SECOND);

    let service = TimeoutLayer::new(SECOND).layer(transport(5 * SECOND, SECOND - MS));
    assert!(service.oneshot(get()).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn without_a_report_it_counts_from_the_poll_that_finds_it_unanswered() {
    let mut service = TimeoutLayer::new(SECOND).layer(never_answers());
    let call = service.call(get());
    pause(5 * SECOND).await;
    let mut call = task::spawn(call);
    assert_pending!(call.poll(), "nobody waited for it");
    pause(SECOND - 2 * MS).await;
    assert_pending!(call.poll());
    pause(2 * MS).await;
    assert_eq!(elapsed(assert_ready!(call.poll())).0, Phase::Attempt);
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_a_connection_at_the_deadline_was_not_sent() {
    let stack = (DeadlineLayer::new(2 * SECOND), TimeoutLayer::new(SECOND));
    let (result, took) = timed(stack.layer(transport(9 * SECOND, SECOND)).oneshot(get())).await;
    assert_eq!(elapsed(result), (Phase::Total, 2 * SECOND, Outcome::Unsent));
    assert_eq!(took, 2 * SECOND);

    let alone = DeadlineLayer::new(2 * SECOND).layer(transport(9 * SECOND, SECOND));
    let (result, took) = timed(alone.oneshot(get())).await;
    assert_eq!(elapsed(result), (Phase::Total, 2 * SECOND, Outcome::Unsent));
    assert_eq!(took, 2 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn what_the_deadline_cuts_says_so() {
    let stack = (DeadlineLayer::new(SECOND), TimeoutLayer::new(2 * SECOND));
    let (result, took) = timed(stack.layer(transport(MS, 9 * SECOND)).oneshot(get())).await;
    assert_eq!(elapsed(result), (Phase::Total, SECOND, Outcome::Ambiguous));
    assert_eq!(took, SECOND);
}

#[tokio::test(start_paused = true)]
async fn alone_it_obeys_the_callers_deadline_as_well() {
    let mut request = get();
    request.extensions_mut().insert(Deadline::within(SECOND));
    let service = TimeoutLayer::new(2 * SECOND).layer(never_answers());
    let (result, took) = timed(service.oneshot(request)).await;
    assert_eq!(elapsed(result), (Phase::Total, SECOND, Outcome::Ambiguous));
    assert_eq!(took, SECOND);
}

#[tokio::test(start_paused = true)]
async fn nothing_starts_that_is_not_worth_starting() {
    let attempt = |left: Duration, layer: TimeoutLayer| async move {
        let mut request = get();
        request.extensions_mut().insert(Deadline::within(left));
        timed(layer.layer(never_answers()).oneshot(request)).await
    };
    let (result, took) = attempt(9 * MS, TimeoutLayer::default()).await;
    assert_eq!(elapsed(result), (Phase::Total, 9 * MS, Outcome::Unsent));
    assert_eq!(took, Duration::ZERO);

    let (result, took) = attempt(10 * MS, TimeoutLayer::default()).await;
    assert_eq!((elapsed(result).2, took), (Outcome::Ambiguous, 10 * MS));

    let eager = TimeoutLayer::default().shortest(Duration::ZERO);
    let (result, took) = attempt(MS, eager.clone()).await;
    assert_eq!((elapsed(result).2, took), (Outcome::Ambiguous, MS));
    let (result, _) = attempt(Duration::ZERO, eager).await;
    assert_eq!(elapsed(result).2, Outcome::Unsent);
}

#[tokio::test(start_paused = true)]
async fn a_call_may_have_a_limit_of_its_own() {
    for limit in [SECOND, 9 * SECOND] {
        let mut request = get();
        request
            .extensions_mut()
            .insert(Timeouts::new().attempt(limit));
        let service = TimeoutLayer::new(2 * SECOND).layer(never_answers());
        let (result, took) = timed(service.oneshot(request)).await;
        assert_eq!(elapsed(result).1, limit);
        assert_eq!(took, limit);
    }
}

#[tokio::test(start_paused = true)]
async fn the_ends_of_the_scale_mean_what_they_say() {
    let never = TimeoutLayer::new(Duration::MAX).layer(answers_after(1_000_000 * SECOND));
    assert!(never.oneshot(get()).await.is_ok());

    let zero = TimeoutLayer::new(Duration::ZERO);
    let (result, took) = timed(zero.layer(never_answers()).oneshot(get())).await;
    assert_eq!((elapsed(result).0, took), (Phase::Attempt, Duration::ZERO));
    let ready = tower::service_fn(|_: Request<_>| async { Ok::<_, BoxError>(ok()) });
    assert!(zero.layer(ready).oneshot(get()).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn what_has_elapsed_is_cancelled_there_and_then() {
    /// Never answers, and holds on to something while it is asked.
    fn holds<B>(
        held: &Rc<()>,
    ) -> impl Service<Request<B>, Response = Response<Nothing>, Error = BoxError> + Clone {
        let held = Rc::clone(held);
        tower::service_fn(move |_: Request<B>| {
            let held = Rc::clone(&held);
            async move {
                pending::<()>().await;
                drop(held);
                Ok(ok())
            }
        })
    }
    let held = Rc::new(());
    let mut attempt = TimeoutLayer::new(SECOND).layer(holds(&held));
    let mut call = std::pin::pin!(attempt.call(get()));
    assert_eq!(Rc::strong_count(&held), 3);
    assert!(call.as_mut().await.is_err());
    assert_eq!(
        Rc::strong_count(&held),
        2,
        "while the caller holds the future"
    );

    let held = Rc::new(());
    let mut whole = DeadlineLayer::new(SECOND).layer(holds(&held));
    let mut call = std::pin::pin!(whole.call(get()));
    assert!(call.as_mut().await.is_err());
    assert_eq!(
        Rc::strong_count(&held),
        2,
        "while the caller holds the future"
    );
}

#[tokio::test(start_paused = true)]
async fn waiting_for_readiness_is_no_attempt() {
    let one_at_a_time = GlobalConcurrencyLimitLayer::new(1).layer(answers_after(1_500 * MS));
    let service = TimeoutLayer::new(2 * SECOND).layer(one_at_a_time);
    let (one, other) = tokio::join!(
        timed(service.clone().oneshot(get())),
        timed(service.oneshot(get())),
    );
    assert!(one.0.is_ok() && other.0.is_ok());
    assert_eq!(other.1, 3 * SECOND);

    let never = GlobalConcurrencyLimitLayer::new(0).layer(never_answers());
    let service = TimeoutLayer::new(SECOND).layer(never);
    let waiting = tokio::time::timeout(60 * SECOND, service.oneshot(get()));
    assert!(waiting.await.is_err(), "without a deadline it waits on");
}

#[tokio::test(start_paused = true)]
async fn switched_off_it_lets_everything_through() {
    let service = TimeoutLayer::new(SECOND)
        .enabled(false)
        .layer(answers_after(2 * SECOND));
    assert_eq!(timed(service.oneshot(get())).await.1, 2 * SECOND);
}
