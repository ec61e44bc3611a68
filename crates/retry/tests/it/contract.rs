//! tower's contract, and that nothing is lost when a call is dropped.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use http::{Method, Request, Response, StatusCode};
use outrigger_core::Outcome;
use outrigger_retry::{Budget, ReplayBody, RetryBody};
use outrigger_testkit::probe::{ContractProbe, Counts};
use outrigger_testkit::{Body, BoxError, Reply, mock::Mock};
use tower::buffer::BufferLayer;
use tower::limit::{ConcurrencyLimit, ConcurrencyLimitLayer};
use tower::util::BoxCloneSyncService;
use tower::{Layer, Service, ServiceBuilder, ServiceExt};

use crate::support::{failing, millis, request, steady};

/// A service that answers with this status.
async fn status(status: u16) -> Result<Response<Body>, BoxError> {
    Ok(Response::builder()
        .status(status)
        .body(Body::from("body"))?)
}

#[tokio::test(start_paused = true)]
async fn every_attempt_is_made_by_an_instance_that_was_ready() {
    let probe = ContractProbe::new();
    let server = probe.answer(|_: Request<ReplayBody<Body>>| status(500));
    let mut service = steady().layer(server);
    for pending in 0..3 {
        probe.pend(pending);
        let service = service.ready().await.unwrap();
        assert_eq!(
            service.call(request(Method::GET)).await.unwrap().status(),
            500
        );
    }
    assert_eq!(probe.counts().completed, 9);
    probe.assert_clean();
    probe.assert_idle();
}

#[tokio::test(start_paused = true)]
async fn retries_work_over_a_concurrency_limit_and_inside_a_buffer() {
    let probe = ContractProbe::new();
    let server = probe.answer(|_: Request<ReplayBody<Body>>| status(500));
    let service = ServiceBuilder::new()
        .layer(BufferLayer::new(8))
        .layer(steady())
        .layer(ConcurrencyLimitLayer::new(1))
        .service(server);
    let calls = (0..4).map(|_| service.clone().oneshot(request(Method::GET)));
    for answer in futures(calls).await {
        assert_eq!(answer.unwrap().status(), 500);
    }
    assert_eq!(probe.counts().completed, 12);
    probe.assert_clean();
    probe.assert_idle();
}

async fn futures<F: Future + Send + 'static>(calls: impl Iterator<Item = F>) -> Vec<F::Output>
where
    F::Output: Send,
{
    let tasks: Vec<_> = calls.map(tokio::spawn).collect();
    let mut answers = Vec::new();
    for task in tasks {
        answers.push(task.await.unwrap());
    }
    answers
}

#[tokio::test(start_paused = true)]
async fn a_pause_holds_no_permit() {
    let mock = Mock::new();
    mock.get("/").always(failing(Outcome::Ambiguous));
    mock.post("/").always(Reply::status(200));
    let service = steady().layer(ConcurrencyLimit::new(mock, 1));
    let pausing = tokio::spawn(service.clone().oneshot(request(Method::GET)));
    tokio::task::yield_now().await;
    let start = tokio::time::Instant::now();
    service.oneshot(request(Method::POST)).await.unwrap();
    assert_eq!(start.elapsed(), Duration::ZERO);
    assert!(pausing.await.unwrap().is_err());
}

#[tokio::test(start_paused = true)]
async fn idle_clones_hold_nothing_of_the_service_below() {
    let probe = ContractProbe::new();
    let server = probe.answer(|_: Request<ReplayBody<Body>>| status(200));
    let service = steady().layer(server);
    let mut idle: Vec<_> = (0..1_000).map(|_| service.clone()).collect();
    for service in &mut idle {
        service.ready().await.unwrap();
    }
    assert_eq!(probe.counts(), Counts::default());
    service.oneshot(request(Method::GET)).await.unwrap();
    probe.assert_idle();
}

#[tokio::test(start_paused = true)]
async fn an_error_of_readiness_is_returned_by_the_call_unchanged() {
    let probe = ContractProbe::new();
    let server = probe.answer(|_: Request<ReplayBody<Body>>| status(200));
    let mut service = steady().layer(server);
    probe.fail_readiness("dead");
    let error = service
        .ready()
        .await
        .unwrap()
        .call(request(Method::GET))
        .await;
    assert_eq!(error.unwrap_err().to_string(), "dead");
    assert_eq!(probe.counts().calls, 0);
}

#[tokio::test(start_paused = true)]
async fn switched_off_it_passes_everything_through() {
    let probe = ContractProbe::new();
    let server = probe.answer(|_: Request<ReplayBody<Body>>| status(500));
    let mut service = steady().enabled(false).layer(server);
    probe.hold();
    assert!(poll_fn(|cx| Poll::Ready(service.poll_ready(cx).is_pending())).await);
    probe.release();
    let service = service.ready().await.unwrap();
    assert_eq!(
        service.call(request(Method::GET)).await.unwrap().status(),
        500
    );
    assert_eq!(probe.counts().calls, 1);
    probe.assert_clean();
}

/// Polls a call at most `polls` times and drops it; time passes between polls.
async fn drop_after(polls: usize, call: impl Future) -> bool {
    let mut call = pin!(call);
    for _ in 0..polls {
        if poll_fn(|cx| Poll::Ready(call.as_mut().poll(cx).is_ready())).await {
            return true;
        }
        tokio::time::advance(millis(10)).await;
    }
    false
}

#[tokio::test(start_paused = true)]
async fn a_call_dropped_at_any_point_gives_back_what_it_did_not_use() {
    let mut finished = false;
    for polls in 0.. {
        let (probe, budget) = (ContractProbe::new(), Budget::new());
        probe.pend(2);
        let server = probe.answer(|_: Request<ReplayBody<Body>>| async {
            tokio::time::sleep_until(tokio::time::Instant::now() + millis(15)).await;
            status(500).await
        });
        let layer = steady().budget(budget.clone());
        let service = layer.layer(ConcurrencyLimit::new(server, 1));
        finished |= drop_after(polls, service.clone().oneshot(request(Method::GET))).await;
        probe.assert_clean();
        probe.assert_idle();
        let retries = u32::try_from(probe.counts().calls.saturating_sub(1)).unwrap();
        assert_eq!(budget.tokens(), 500 - 14 * retries, "after {polls} polls");
        let next = service.oneshot(request(Method::GET));
        assert!(
            tokio::time::timeout(Duration::from_secs(60), next)
                .await
                .is_ok(),
            "the permit is lost"
        );
        if finished {
            assert!(polls > 10);
            return;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn panics_of_the_inner_service_pass_and_lose_nothing() {
    let budget = Budget::new();
    let calls = Arc::new(AtomicUsize::new(0));
    let server = tower::service_fn(move |_: Request<ReplayBody<Body>>| {
        let call = calls.fetch_add(1, Ordering::Relaxed);
        assert!(call.is_multiple_of(2), "user code");
        status(500)
    });
    let service = steady().budget(budget.clone()).layer(server);
    for round in 1..=3 {
        let call = service.clone().oneshot(request(Method::GET));
        assert!(tokio::spawn(call).await.unwrap_err().is_panic());
        assert_eq!(budget.tokens(), 500 - 14 * round, "it was sent");
    }
}

#[tokio::test(start_paused = true)]
async fn a_hook_that_panics_loses_nothing() {
    let (mock, budget) = (Mock::new(), Budget::new());
    mock.any("/").always(Reply::status(500));
    let layer = steady().budget(budget.clone()).on_attempt(|attempt| {
        assert!(attempt.number < 2, "user code");
    });
    let call = layer.layer(mock).oneshot(request(Method::GET));
    assert!(tokio::spawn(call).await.unwrap_err().is_panic());
    assert_eq!(budget.tokens(), 486, "one was sent, the next was not");
}

#[tokio::test(start_paused = true)]
async fn it_stands_in_a_box_and_over_bodies_of_any_kind() {
    let mock = Mock::new();
    mock.any("/").always(Reply::status(200).body("ok"));
    let service = BoxCloneSyncService::new(steady().layer(mock));
    let response: Response<RetryBody<Body>> = service.oneshot(request(Method::GET)).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
}
