//! Tower's contract, judged by a probe below.

use http::{Request, Response};
use outrigger_core::BoxError;
use outrigger_testkit::probe::ContractProbe;
use outrigger_timeout::{DeadlineLayer, TimeoutLayer};
use tokio::task::yield_now;
use tokio_test::{assert_ready_ok, task};
use tower::{Layer, Service, ServiceExt};

use super::support::*;

/// The pair over a probe whose service yields once before it answers.
fn probed(
    probe: &ContractProbe,
) -> impl Service<Request<Nothing>, Response: Sized, Error = BoxError> + Clone {
    let echo = probe.answer(|_: Request<_>| async {
        yield_now().await;
        Ok(ok())
    });
    (DeadlineLayer::default(), TimeoutLayer::default())
        .layer(echo)
        .map_response(|response: Response<_>| drop(response))
}

#[tokio::test(start_paused = true)]
async fn calls_over_a_service_that_is_slow_to_become_ready() {
    let probe = ContractProbe::new();
    let mut service = probed(&probe);
    for pending in [0, 1, 3] {
        probe.pend(pending);
        assert!(service.ready().await.unwrap().call(get()).await.is_ok());
        assert!(service.clone().oneshot(get()).await.is_ok());
    }
    probe.assert_clean();
    probe.assert_idle();
    assert_eq!(probe.counts().completed, 6);
}

#[tokio::test(start_paused = true)]
async fn calls_dropped_at_any_poll_hold_nothing() {
    let probe = ContractProbe::new();
    let service = probed(&probe);
    // Of two pending polls for readiness, one is made in `call` and one in the first poll.
    for (pending, needed) in [(0, 2), (2, 3)] {
        for polls in 0..=needed {
            probe.pend(pending);
            let mut call = task::spawn(service.clone().oneshot(get()));
            let answered = (0..polls).filter(|_| call.poll().is_ready()).count();
            assert_eq!(answered, usize::from(polls == needed));
            drop(call);
            probe.pend(0);
            probe.assert_idle();
        }
    }
    probe.assert_clean();
}

#[tokio::test(start_paused = true)]
async fn a_dead_instance_is_not_asked_again() {
    let probe = ContractProbe::new();
    let mut service = probed(&probe);
    let mut whole = DeadlineLayer::default().layer(probe.answer(|_| async { Ok(ok()) }));
    for _ in 0..2 {
        probe.fail_readiness("broken");
        assert!(service.call(get()).await.is_err());
        probe.fail_readiness("broken");
        assert!(whole.call(get()).await.is_err());
    }
    assert!(service.call(get()).await.is_ok());
    assert!(whole.call(get()).await.is_ok());
    probe.assert_clean();
    probe.assert_idle();
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_the_deadline_ends_holds_nothing() {
    let probe = ContractProbe::new();
    probe.hold();
    let service = probed(&probe);
    assert!(service.clone().oneshot(get()).await.is_err());
    probe.assert_idle();
    probe.release();
    let mut call = task::spawn(service.oneshot(get()));
    assert!(call.poll().is_pending());
    assert_ready_ok!(call.poll());
    probe.assert_clean();
}
