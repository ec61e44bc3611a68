//! The tower contract: whoever was ready makes the call, and nothing is held in vain.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use http::{Request, Response};
use outrigger_core::{BoxError, Outcome};
use outrigger_timeout::{DeadlineLayer, RequestBody, TimeoutLayer};
use tokio::sync::Semaphore;
use tokio_test::{assert_pending, assert_ready_ok, task};
use tower::limit::{ConcurrencyLimitLayer, GlobalConcurrencyLimitLayer};
use tower::{Layer, Service, ServiceBuilder, ServiceExt};
use tower_test::mock;

use super::support::*;

fn pair() -> (DeadlineLayer, TimeoutLayer) {
    (DeadlineLayer::default(), TimeoutLayer::default())
}

#[tokio::test(start_paused = true)]
async fn calls_take_turns_over_a_concurrency_limit() {
    let limited = ServiceBuilder::new()
        .layer(pair())
        .layer(ConcurrencyLimitLayer::new(1))
        .service(answers_after(SECOND));
    let calls = (0..3).map(|_| timed(limited.clone().oneshot(get())));
    let mut took = Vec::new();
    for call in calls.map(tokio::spawn).collect::<Vec<_>>() {
        let (result, time) = call.await.unwrap();
        assert!(result.is_ok());
        took.push(time);
    }
    assert_eq!(took, [SECOND, 2 * SECOND, 3 * SECOND]);
}

#[tokio::test(start_paused = true)]
async fn one_instance_makes_call_after_call() {
    let mut limited = ServiceBuilder::new()
        .layer(pair())
        .layer(ConcurrencyLimitLayer::new(1))
        .service(answers_after(SECOND));
    let calls = [(); 3].map(|()| limited.call(get()));
    for call in calls.map(tokio::spawn) {
        assert!(call.await.unwrap().is_ok());
    }
}

#[tokio::test(start_paused = true)]
async fn calls_go_through_a_buffer_below_and_above() {
    let buffered = ServiceBuilder::new()
        .buffer(1)
        .layer(pair())
        .buffer(1)
        .service(answers_after(SECOND));
    let calls = (0..4).map(|_| buffered.clone().oneshot(get()));
    for call in calls.map(tokio::spawn).collect::<Vec<_>>() {
        assert!(call.await.unwrap().is_ok());
    }
}

type Mocked = Request<RequestBody<Nothing>>;

#[tokio::test(start_paused = true)]
async fn the_instance_that_was_polled_makes_the_call() {
    // The mock panics when an instance is called that was not ready, and its clones are not.
    let (service, mut handle) = mock::pair::<Mocked, Response<Nothing>>();
    let mut service = pair().layer(service);
    handle.allow(0);
    let mut call = task::spawn(service.call(get()));
    assert_pending!(call.poll());
    handle.allow(1);
    assert!(call.is_woken(), "woken by the instance that it took along");
    assert_pending!(call.poll());
    let (_, respond) = handle.next_request().await.unwrap();
    respond.send_response(ok());
    assert_ready_ok!(call.poll());

    handle.allow(1);
    let mut call = task::spawn(service.call(get()));
    assert_pending!(call.poll());
    handle.next_request().await.unwrap().1.send_response(ok());
    assert_ready_ok!(call.poll());
}

#[tokio::test(start_paused = true)]
async fn readied_and_idle_clones_take_nothing() {
    let limited = ServiceBuilder::new()
        .layer(pair())
        .layer(GlobalConcurrencyLimitLayer::new(1))
        .service(answers_after(SECOND));
    let mut idle = vec![limited.clone(); 10_000];
    let mut cx = Context::from_waker(Waker::noop());
    for clone in &mut idle {
        assert!(matches!(clone.poll_ready(&mut cx), Poll::Ready(Ok(()))));
    }
    let (result, took) = timed(limited.oneshot(get())).await;
    assert!(result.is_ok());
    assert_eq!(took, SECOND);
}

#[tokio::test(start_paused = true)]
async fn each_layer_is_ready_over_a_service_that_is_not() {
    let saturated = GlobalConcurrencyLimitLayer::new(0);
    let mut cx = Context::from_waker(Waker::noop());
    let mut whole = DeadlineLayer::default().layer(saturated.layer(never_answers()));
    let ready = Service::<Request<Nothing>>::poll_ready(&mut whole, &mut cx);
    assert!(matches!(ready, Poll::Ready(Ok(()))));
    let mut attempt = TimeoutLayer::default().layer(saturated.layer(never_answers()));
    let ready = Service::<Request<Nothing>>::poll_ready(&mut attempt, &mut cx);
    assert!(matches!(ready, Poll::Ready(Ok(()))));
}

#[tokio::test(start_paused = true)]
async fn an_attempt_too_late_leaves_nothing_ready_behind() {
    let permits = Arc::new(Semaphore::new(1));
    let limit = GlobalConcurrencyLimitLayer::with_semaphore(Arc::clone(&permits));
    let mut service = TimeoutLayer::default().layer(limit.layer(answers_after(SECOND)));
    let mut request = get();
    let soon = outrigger_timeout::Deadline::within(MS);
    request.extensions_mut().insert(soon);
    let result = service.call(request).await;
    assert_eq!(elapsed(result).2, Outcome::Unsent);
    assert_eq!(permits.available_permits(), 1);
}

#[tokio::test(start_paused = true)]
async fn readiness_that_comes_too_late_sends_nothing() {
    let permits = Arc::new(Semaphore::new(0));
    let limit = GlobalConcurrencyLimitLayer::with_semaphore(Arc::clone(&permits));
    async fn untouched<B>(_: Request<B>) -> Result<Response<Nothing>, BoxError> {
        unreachable!("called")
    }
    let deadline = DeadlineLayer::new(SECOND).layer(limit.layer(tower::service_fn(untouched)));
    let pair = (DeadlineLayer::new(SECOND), TimeoutLayer::default());
    let attempt = pair.layer(limit.layer(tower::service_fn(untouched)));
    let attempt = attempt.map_response(|response| response.map(|_| unreachable!()));
    for service in [deadline.boxed_clone(), attempt.boxed_clone()] {
        let mut call = task::spawn(service.oneshot(get()));
        assert_pending!(call.poll());
        pause(SECOND + MS).await;
        permits.add_permits(1);
        let result = std::future::poll_fn(|_| call.poll()).await;
        assert_eq!(elapsed(result).2, Outcome::Unsent);
        drop(call);
        assert_eq!(permits.available_permits(), 1);
        permits.forget_permits(1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_failure_to_become_ready_comes_out_of_the_call() {
    let (service, mut handle) = mock::pair::<Mocked, Response<Nothing>>();
    handle.send_error("broken");
    let mut service = pair().layer(service);
    let mut cx = Context::from_waker(Waker::noop());
    assert!(matches!(service.poll_ready(&mut cx), Poll::Ready(Ok(()))));
    assert!(service.call(get()).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn switched_off_readiness_passes_through() {
    let (service, mut handle) = mock::pair::<Mocked, Response<Nothing>>();
    let off = (
        DeadlineLayer::default().enabled(false),
        TimeoutLayer::default().enabled(false),
    );
    let mut service = off.layer(service);
    handle.allow(0);
    let mut ready = task::spawn(());
    let poll = ready.enter(|cx, _| service.poll_ready(cx));
    assert!(poll.is_pending());
    handle.allow(1);
    assert!(ready.is_woken());
    assert!(ready.enter(|cx, _| service.poll_ready(cx)).is_ready());
}
