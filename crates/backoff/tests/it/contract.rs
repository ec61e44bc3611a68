//! The tower contract: whoever was ready makes the call, and nothing is held in vain.

use std::task::{Context, Poll, Waker};

use outrigger_testkit::probe::ContractProbe;
use tokio_test::{assert_pending, assert_ready_ok, task};
use tower::limit::{ConcurrencyLimitLayer, GlobalConcurrencyLimitLayer};
use tower::{Layer, ServiceBuilder};
use tower_test::mock;

use super::*;

#[tokio::test(start_paused = true)]
async fn three_paced_attempts_keep_the_contract() {
    for pending in 0..3 {
        let (script, probe) = (Script::failures(2), ContractProbe::new());
        let mut service = layer().layer(probe.answer(move |_: Request<()>| ready(script.next())));
        let start = Instant::now();
        for _ in 0..3 {
            probe.pend(pending);
            service.call(get()).await.unwrap();
        }
        assert_eq!(start.elapsed(), 3 * SECOND);
        probe.assert_clean();
        probe.assert_idle();
        assert_eq!(probe.counts().completed, 3);
    }
}

#[tokio::test(start_paused = true)]
async fn the_instance_that_was_polled_makes_the_call() {
    let (service, mut handle) = mock::pair::<Request<()>, Response<()>>();
    let mut service = layer().layer(service);
    handle.allow(0);
    let mut call = task::spawn(service.call(get()));
    assert_pending!(call.poll());
    handle.allow(1);
    assert!(call.is_woken(), "woken by the instance that it took along");
    assert_pending!(call.poll());
    let (_, respond) = handle.next_request().await.unwrap();
    respond.send_response(Response::new(()));
    assert_ready_ok!(call.poll());
}

#[tokio::test(start_paused = true)]
async fn the_wait_that_was_begun_goes_along_with_the_call() {
    let server = service_fn(async |_: Request<()>| {
        pause(SECOND).await;
        Ok::<_, BoxError>(Response::new(()))
    });
    let mut limited = ServiceBuilder::new()
        .layer(layer())
        .layer(GlobalConcurrencyLimitLayer::new(1))
        .service(server);
    let start = Instant::now();
    let calls = [(); 3].map(|()| limited.call(get()));
    let calls = calls.map(tokio::spawn);
    for call in calls {
        assert!(in_time(call).await.unwrap().is_ok());
    }
    assert_eq!(
        start.elapsed(),
        3 * SECOND,
        "with the instance alive that was polled"
    );
    drop(limited);
}

#[tokio::test(start_paused = true)]
async fn a_failure_to_become_ready_comes_out_of_the_call() {
    let probe = ContractProbe::new().tolerate_polls_after_error();
    let server = probe.answer(|_: Request<()>| ready(Ok(Response::new(()))));
    let mut service = layer().layer(server);
    probe.fail_readiness("broken");
    let mut cx = Context::from_waker(Waker::noop());
    assert!(matches!(service.poll_ready(&mut cx), Poll::Ready(Ok(()))));
    assert_eq!(service.call(get()).await.unwrap_err().to_string(), "broken");
    assert_eq!(
        took(&service, get()).await,
        SECOND,
        "it is a failure like others"
    );
}

#[tokio::test(start_paused = true)]
async fn readied_and_idle_clones_take_nothing() {
    let limited = ServiceBuilder::new()
        .layer(layer())
        .layer(GlobalConcurrencyLimitLayer::new(1))
        .service(Script::default().server());
    let mut idle = vec![limited.clone(); 1_000];
    let mut cx = Context::from_waker(Waker::noop());
    for clone in &mut idle {
        assert!(matches!(clone.poll_ready(&mut cx), Poll::Ready(Ok(()))));
    }
    assert_eq!(took(&limited, get()).await, Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn who_pauses_holds_no_permit() {
    let limited = ServiceBuilder::new()
        .layer(layer())
        .layer(GlobalConcurrencyLimitLayer::new(1))
        .service(Script::failures(1).server());
    took(&limited, get()).await;
    let mut paused = task::spawn(limited.clone().oneshot(get()));
    assert_pending!(paused.poll());
    assert_eq!(
        took(&limited, to("http://b.example/")).await,
        Duration::ZERO
    );
}

#[tokio::test(start_paused = true)]
async fn calls_go_through_limits_and_buffers_below_and_above() {
    let service = ServiceBuilder::new()
        .buffer(1)
        .layer(ConcurrencyLimitLayer::new(1))
        .layer(layer())
        .layer(ConcurrencyLimitLayer::new(1))
        .buffer(1)
        .service(Script::failures(2).server());
    let start = Instant::now();
    for _ in 0..3 {
        assert!(in_time(service.clone().oneshot(get())).await.is_ok());
    }
    assert_eq!(start.elapsed(), 3 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn switched_off_it_passes_everything_through() {
    let probe = ContractProbe::new();
    let script = Script::failures(9);
    let server = probe.answer(move |_: Request<()>| ready(script.next()));
    let mut off = layer().enabled(false).layer(server);
    let mut readiness = task::spawn(());
    probe.hold();
    assert!(readiness.enter(|cx, _| off.poll_ready(cx)).is_pending());
    probe.release();
    assert!(readiness.is_woken());
    for _ in 0..3 {
        assert_eq!(took(&off, get()).await, Duration::ZERO);
    }
    probe.assert_clean();
}
