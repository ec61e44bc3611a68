use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use outrigger_testkit::{
    BoxError,
    probe::{Answer, ContractProbe, Counts, Probed},
};
use tower::{Layer, Service, ServiceBuilder, ServiceExt, buffer::Buffer, limit::ConcurrencyLimit};

type Echo = Probed<Answer<fn(&'static str) -> std::future::Ready<Result<&'static str, BoxError>>>>;

fn echo(probe: &ContractProbe) -> Echo {
    probe.layer(Answer::new(|word| std::future::ready(Ok(word))))
}

fn readiness(service: &mut Echo) -> Poll<Result<(), BoxError>> {
    service.poll_ready(&mut Context::from_waker(Waker::noop()))
}

/// Runs what must break the contract, and returns the sentence it fails with.
fn violation(breaking: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(breaking)).unwrap_err();
    panic.downcast_ref::<String>().unwrap().clone()
}

/// Counts how often it is woken.
#[derive(Default)]
struct Bell(AtomicUsize);

impl Bell {
    fn rings(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn a_call_without_readiness_fails_the_test() {
    let probe = ContractProbe::new();
    let mut service = echo(&probe);

    let sentence = violation(|| drop(service.call("ping")));

    assert_eq!(
        sentence,
        "tower contract: call without a fresh Ready from poll_ready of this instance"
    );
    assert!(violation(|| probe.assert_clean()).contains("call without a fresh Ready"));
    assert_eq!(probe.counts().calls, 0);
}

#[test]
fn one_readiness_is_good_for_one_call() {
    let probe = ContractProbe::new();
    let mut service = echo(&probe);
    assert!(readiness(&mut service).is_ready());
    drop(service.call("ping"));

    assert!(violation(|| drop(service.call("pong"))).contains("call without a fresh Ready"));
}

#[test]
fn the_clone_of_a_ready_service_is_not_ready() {
    let probe = ContractProbe::new();
    let mut service = echo(&probe);
    assert!(readiness(&mut service).is_ready());
    let mut clone = service.clone();

    assert!(violation(|| drop(clone.call("ping"))).contains("call without a fresh Ready"));
    drop(service.call("the ready one may"));
}

#[test]
fn a_failed_service_is_neither_polled_nor_called_again() {
    let probe = ContractProbe::new();
    let mut service = echo(&probe);
    probe.fail_readiness("broken");
    let Poll::Ready(Err(error)) = readiness(&mut service) else {
        panic!("the error was ordered")
    };
    assert_eq!(error.to_string(), "broken");

    assert!(
        violation(|| drop(readiness(&mut service))).contains("poll_ready was called again after")
    );
    assert!(violation(|| drop(service.call("ping"))).contains("call followed an error"));
}

#[test]
fn a_probe_may_tolerate_polls_after_an_error() {
    let probe = ContractProbe::new().tolerate_polls_after_error();
    let mut service = echo(&probe);
    probe.fail_readiness("for once");
    assert!(matches!(readiness(&mut service), Poll::Ready(Err(_))));

    assert!(matches!(readiness(&mut service), Poll::Ready(Ok(()))));

    drop(service.call("ping"));
    probe.assert_clean();
    assert!(
        violation(|| drop(service.call("pong"))).contains("call without a fresh Ready"),
        "not: after an error"
    );
}

#[test]
fn an_answered_future_is_not_polled_again() {
    let probe = ContractProbe::new();
    let mut service = echo(&probe);
    assert!(readiness(&mut service).is_ready());
    let mut future = pin!(service.call("ping"));
    let mut cx = Context::from_waker(Waker::noop());
    assert!(future.as_mut().poll(&mut cx).is_ready());

    assert!(
        violation(|| drop(future.as_mut().poll(&mut cx))).contains("polled after it had answered")
    );
}

#[tokio::test]
async fn a_panic_that_a_task_swallows_still_fails_the_test() {
    let probe = ContractProbe::new();
    let mut service = echo(&probe);

    let task = tokio::spawn(async move { service.call("ping").await });

    assert!(task.await.unwrap_err().is_panic());
    assert!(violation(|| probe.assert_clean()).contains("call without a fresh Ready"));
}

#[test]
fn held_readiness_wakes_the_waker_that_asked_last() {
    let probe = ContractProbe::new();
    let mut service = echo(&probe);
    let (first, last) = (Arc::new(Bell::default()), Arc::new(Bell::default()));
    probe.hold();
    for bell in [&first, &last] {
        let waker = Waker::from(Arc::clone(bell));
        assert!(
            service
                .poll_ready(&mut Context::from_waker(&waker))
                .is_pending()
        );
    }

    probe.release();

    assert_eq!((first.rings(), last.rings()), (0, 1));
    assert!(readiness(&mut service).is_ready());
}

#[test]
fn a_service_that_is_ready_stays_so_when_readiness_is_held() {
    let probe = ContractProbe::new();
    let mut service = echo(&probe);
    assert!(readiness(&mut service).is_ready());

    probe.hold();

    assert!(readiness(&mut service).is_ready());
    assert!(readiness(&mut service.clone()).is_pending());
}

#[test]
fn pending_as_often_as_ordered_wakes_its_task_each_time() {
    let probe = ContractProbe::new();
    let mut service = echo(&probe);
    let bell = Arc::new(Bell::default());
    let waker = Waker::from(Arc::clone(&bell));
    let mut cx = Context::from_waker(&waker);
    probe.pend(2);

    let polls = [(); 3].map(|()| service.poll_ready(&mut cx).is_ready());

    assert_eq!(polls, [false, false, true]);
    assert_eq!(bell.rings(), 2);
}

#[test]
fn counts_follow_each_reservation_and_each_future() {
    let probe = ContractProbe::new();
    let mut service = echo(&probe);
    assert!(readiness(&mut service).is_ready());
    assert!(readiness(&mut service).is_ready());
    assert_eq!(probe.counts().reserved, 1, "asked twice, held once");
    let never_polled = service.call("ping");
    let mut idle = service.clone();
    assert!(readiness(&mut idle).is_ready());
    let Counts {
        reserved,
        calls,
        in_flight,
        ..
    } = probe.counts();
    assert_eq!((reserved, calls, in_flight), (1, 1, 1));
    assert!(violation(|| probe.assert_idle()).contains("not idle"));

    drop((never_polled, idle));

    probe.assert_idle();
    let counts = probe.counts();
    assert_eq!(
        (counts.dropped, counts.abandoned, counts.completed),
        (1, 1, 0)
    );
}

#[tokio::test]
async fn towers_own_layers_pass() {
    let probe = ContractProbe::new();
    probe.pend(3);
    let mut limited = ServiceBuilder::new()
        .concurrency_limit(1)
        .layer(probe.clone())
        .service(echo(&probe));
    for _ in 0..3 {
        assert_eq!(
            limited.ready().await.unwrap().call("ping").await.unwrap(),
            "ping"
        );
    }

    let buffered = Buffer::new(echo(&probe), 8);
    for _ in 0..3 {
        assert_eq!(buffered.clone().oneshot("ping").await.unwrap(), "ping");
    }

    drop((limited, buffered));
    probe.assert_clean();
    assert_eq!(
        probe.counts().completed,
        9,
        "three through two probes, three through one"
    );
}

#[tokio::test]
async fn the_probe_passes_over_a_limit_and_catches_what_the_limit_would() {
    let probe = ContractProbe::new();
    let limit = ConcurrencyLimit::new(
        tower::service_fn(|word| async move { Ok::<_, BoxError>(word) }),
        1,
    );
    let mut first = probe.layer(limit);
    let mut second = first.clone();

    first.ready().await.unwrap();
    assert!(
        second
            .poll_ready(&mut Context::from_waker(Waker::noop()))
            .is_pending(),
        "the first holds the permit"
    );
    assert!(violation(|| drop(second.call("ping"))).contains("call without a fresh Ready"));
    assert_eq!(first.call("ping").await.unwrap(), "ping");
}
