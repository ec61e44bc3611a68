//! Cancellation, panics, greedy tasks and timers that are not needed.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{HeaderName, Request, Response};
use outrigger_core::call::{self, Dispatch};
use outrigger_core::{BoxError, Outcome};
use outrigger_timeout::{DeadlineLayer, Phase, TimeoutLayer};
use tokio::sync::Semaphore;
use tokio::task::{coop, yield_now};
use tokio::time::Instant;
use tokio_test::{assert_pending, assert_ready_ok, task};
use tower::limit::GlobalConcurrencyLimitLayer;
use tower::{Layer, Service, ServiceBuilder, ServiceExt};

use super::support::*;

fn pair() -> (DeadlineLayer, TimeoutLayer) {
    (DeadlineLayer::default(), TimeoutLayer::default())
}

#[tokio::test(start_paused = true)]
async fn a_call_dropped_at_any_poll_leaves_nothing_behind() {
    let permits = Arc::new(Semaphore::new(0));
    let stack = ServiceBuilder::new()
        .layer(pair())
        .layer(GlobalConcurrencyLimitLayer::with_semaphore(Arc::clone(
            &permits,
        )))
        .service_fn(|_: Request<_>| async {
            call::update(|call| call.report(Dispatch::Waiting));
            yield_now().await;
            call::update(|call| call.report(Dispatch::Sent(Instant::now())));
            yield_now().await;
            Ok::<_, BoxError>(ok())
        });
    for polls in 0..=4 {
        let mut call = task::spawn(stack.clone().oneshot(get()));
        let mut answered = false;
        for poll in 0..polls {
            if poll == 1 {
                permits.add_permits(1);
            }
            answered = call.poll().is_ready();
        }
        assert_eq!(answered, polls == 4, "{polls} polls");
        drop(call);
        assert_eq!(
            permits.available_permits(),
            usize::from(polls > 1),
            "{polls} polls"
        );
        assert_eq!(call::current(), None);
        permits.forget_permits(1);
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Panics {
    Ready,
    Call,
    Poll,
    Never,
}

impl<B> Service<Request<B>> for Panics {
    type Response = Response<Nothing>;
    type Error = BoxError;
    type Future = std::pin::Pin<Box<dyn Future<Output = Result<Response<Nothing>, BoxError>>>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        assert!(*self != Self::Ready, "user code");
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<B>) -> Self::Future {
        assert!(*self != Self::Call, "user code");
        let panics = *self == Self::Poll;
        Box::pin(async move {
            assert!(!panics, "user code");
            Ok(ok())
        })
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_below_passes_on_and_leaves_no_call_behind() {
    for panics in [Panics::Ready, Panics::Call, Panics::Poll] {
        let call = AssertUnwindSafe(|| {
            task::spawn(pair().layer(panics).oneshot(get()))
                .poll()
                .is_ready()
        });
        assert!(catch_unwind(call).is_err());
        assert_eq!(call::current(), None);
        assert_ready_ok!(task::spawn(pair().layer(Panics::Never).oneshot(get())).poll());
    }
}

#[tokio::test]
async fn a_service_that_burns_the_tasks_budget_for_ever_still_elapses() {
    async fn greedy<B>(_: Request<B>) -> Result<Response<Nothing>, BoxError> {
        loop {
            coop::consume_budget().await;
        }
    }
    let attempt = TimeoutLayer::new(10 * MS).layer(tower::service_fn(greedy));
    let whole = DeadlineLayer::new(10 * MS).layer(tower::service_fn(greedy));
    let both = async {
        assert_eq!(elapsed(attempt.oneshot(get()).await).0, Phase::Attempt);
        assert_eq!(elapsed(whole.oneshot(get()).await).0, Phase::Total);
    };
    let in_time = tokio::time::timeout(5 * SECOND, both).await;
    assert!(
        in_time.is_ok(),
        "a greedy service keeps its limit from passing"
    );
}

/// Whether the future says that it has armed a timer.
fn armed(future: &impl std::fmt::Debug) -> bool {
    let state = format!("{future:?}");
    assert!(state.contains("Timer("), "{state}");
    !state.contains("Timer(None)")
}

#[test]
fn an_answer_that_is_there_arms_no_timer() {
    // Outside a runtime a timer would panic.
    let ready = tower::service_fn(|_: Request<_>| async { Ok::<_, BoxError>(ok()) });
    assert_ready_ok!(task::spawn(pair().layer(ready).oneshot(get())).poll());
}

#[tokio::test(start_paused = true)]
async fn the_two_layers_together_arm_one_timer() {
    let mut alone = task::spawn(DeadlineLayer::default().layer(never_answers()).call(get()));
    assert_pending!(alone.poll());
    assert!(armed(&alone), "nothing below wakes the task");

    let mut attempt = task::spawn(TimeoutLayer::default().layer(never_answers()).call(get()));
    assert_pending!(attempt.poll());
    assert!(armed(&attempt));

    let mut both = task::spawn(pair().layer(never_answers()).call(get()));
    assert_pending!(both.poll());
    assert!(!armed(&both), "the attempt's timer wakes the task no later");
}

/// At each poll states what the list says, and is polled again until it ends; never answers.
fn states_timers<B>(
    timers: &'static [Option<Duration>],
) -> impl Service<Request<B>, Response = Response<Nothing>, Error = BoxError, Future: Future> + Clone
{
    tower::service_fn(move |_: Request<B>| {
        let (start, mut timers) = (Instant::now(), timers.iter());
        std::future::poll_fn(move |cx| {
            if let Some(Some(after)) = timers.next() {
                call::update(|call| call.set_timer(Some(start + *after)));
            }
            if timers.len() > 0 {
                cx.waker().wake_by_ref();
            }
            Poll::Pending
        })
    })
}

#[tokio::test(start_paused = true)]
async fn a_timer_below_is_relied_upon_only_while_it_is_stated_and_early_enough() {
    const LATER: &[Option<Duration>] = &[Some(Duration::from_secs(9))];
    const NO_LONGER: &[Option<Duration>] = &[Some(Duration::from_secs(1)), None];
    for timers in [LATER, NO_LONGER] {
        let service = DeadlineLayer::new(2 * SECOND).layer(states_timers(timers));
        let waiting = tokio::time::timeout(60 * SECOND, timed(service.oneshot(get())));
        let (result, took) = waiting.await.expect("the deadline to pass");
        assert_eq!((elapsed(result).0, took), (Phase::Total, 2 * SECOND));
    }
}

#[tokio::test(start_paused = true)]
async fn a_timer_that_was_given_up_below_is_not_relied_upon() {
    // The attempt armed a timer; then, in the same poll, a layer in between gives the attempt up and
    // waits for something that never comes.
    #[derive(Clone)]
    struct GivesUp<S>(S);
    impl<S, B> Service<Request<B>> for GivesUp<S>
    where
        S: Service<Request<B>, Future: 'static>,
        S::Response: 'static,
        S::Error: 'static,
    {
        type Response = S::Response;
        type Error = S::Error;
        type Future = std::pin::Pin<Box<dyn Future<Output = Result<S::Response, S::Error>>>>;

        fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
            self.0.poll_ready(cx)
        }

        fn call(&mut self, request: Request<B>) -> Self::Future {
            let attempt = self.0.call(request);
            Box::pin(async move {
                let mut attempt = Box::pin(attempt);
                std::future::poll_fn(|cx| Poll::Ready(attempt.as_mut().poll(cx).is_pending()))
                    .await;
                drop(attempt);
                std::future::pending().await
            })
        }
    }
    let attempt = TimeoutLayer::new(SECOND).layer(never_answers());
    let service = DeadlineLayer::new(2 * SECOND).layer(GivesUp(attempt));
    let waiting = tokio::time::timeout(Duration::from_secs(60), timed(service.oneshot(get())));
    let (result, took) = waiting.await.expect("the deadline to pass");
    assert_eq!((elapsed(result).0, took), (Phase::Total, 2 * SECOND));
}

/// Begins the call below within the call above, and lets it go on outside: on a task of its own.
fn on_a_task_of_its_own<S, R>(
    below: S,
) -> impl Service<Request<Nothing>, Response = Response<R>, Error = BoxError, Future: Future> + Clone
where
    S: Service<Request<Nothing>, Response = Response<R>, Error = BoxError> + Clone,
    S::Future: Send + 'static,
    R: Send + 'static,
{
    tower::service_fn(move |request: Request<Nothing>| {
        let call = tokio::spawn(below.clone().call(request));
        async move { call.await.map_err(BoxError::from)? }
    })
}

#[tokio::test(start_paused = true)]
async fn a_call_moved_to_another_task_does_not_know_what_was_sent() {
    let left = HeaderName::from_static("x-timeout-ms");
    let attempt = TimeoutLayer::default()
        .header(left.clone())
        .layer(never_answers());
    let mut request = get();
    request.headers_mut().insert(left, 1_000.into());
    let outer = DeadlineLayer::default().layer(on_a_task_of_its_own(attempt));
    let result = outer.oneshot(request).await;
    assert_eq!(elapsed(result), (Phase::Total, SECOND, Outcome::Ambiguous));

    let saturated = GlobalConcurrencyLimitLayer::new(0).layer(never_answers());
    let waiting = DeadlineLayer::new(SECOND).layer(saturated);
    let outer = DeadlineLayer::default().layer(on_a_task_of_its_own(waiting));
    let result = outer.oneshot(get()).await;
    assert_eq!(elapsed(result), (Phase::Total, SECOND, Outcome::Ambiguous));
}

#[tokio::test(start_paused = true)]
async fn neither_future_prints_the_request() {
    let secret = || {
        let mut request = get();
        request
            .headers_mut()
            .insert("authorization", "canary".parse().unwrap());
        request
    };
    let busy = GlobalConcurrencyLimitLayer::new(0);
    let mut deadline = task::spawn(
        DeadlineLayer::default()
            .layer(busy.layer(never_answers()))
            .call(secret()),
    );
    let mut timeout = task::spawn(
        TimeoutLayer::default()
            .layer(busy.layer(never_answers()))
            .call(secret()),
    );
    assert_pending!(deadline.poll());
    assert_pending!(timeout.poll());
    for printed in [format!("{deadline:?}"), format!("{timeout:?}")] {
        assert!(
            printed.contains("Waiting") && !printed.contains("canary"),
            "{printed}"
        );
    }
}

#[test]
fn services_futures_and_bodies_are_as_free_as_what_they_wrap() {
    fn free<T: Send + Sync>(_: &T) {}
    fn moves<T: Unpin>(_: &T) {}
    let service = pair().layer(answers_with(Nothing::new()));
    free(&service);
    let call = service.clone().call(get());
    free(&call);
    let response = assert_ready_ok!(task::spawn(call).poll());
    free(response.body());
    moves(response.body());
    moves(&outrigger_timeout::RequestBody::<Nothing>::default());
}
