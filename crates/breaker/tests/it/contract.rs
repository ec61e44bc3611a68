//! The tower contract: whoever was ready makes the call, and nothing is held in vain.

use std::task::{Context, Poll, Waker};

use outrigger_breaker::BreakerHandle;
use outrigger_testkit::probe::ContractProbe;
use tokio_test::{assert_pending, task};
use tower::buffer::Buffer;
use tower::limit::{ConcurrencyLimitLayer, GlobalConcurrencyLimitLayer};
use tower::{ServiceBuilder, util::BoxCloneSyncService};

use super::*;

#[tokio::test(start_paused = true)]
async fn an_open_circuit_refuses_at_once_over_a_service_that_is_never_ready() {
    let (probe, peer) = (ContractProbe::new(), Peer::ill());
    let service = three().layer(probe.layer(peer.serve()));
    fail(&service, 3).await;
    probe.hold();
    let mut refused = task::spawn(service.clone().oneshot(get()));
    let Poll::Ready(result) = refused.poll() else {
        panic!("it waits");
    };
    assert_eq!(came(&result), REFUSED);

    pause(6 * SECOND).await;
    let mut probes: Vec<_> = (0..9)
        .map(|_| task::spawn(service.clone().oneshot(get())))
        .collect();
    for probe in &mut probes {
        assert_pending!(probe.poll());
    }
    peer.turns(|| answer(200));
    probe.release();
    let passed = probes.iter_mut().map(|probe| match probe.poll() {
        Poll::Ready(result) => came(&result),
        Poll::Pending => panic!("it waits"),
    });
    let passed = passed.filter(|came| *came == Came::To(200)).count();
    assert!(
        (3..=6).contains(&passed),
        "probes, and the ramp's first: {passed}"
    );
    pause(6 * SECOND).await;
    assert_eq!(call(&service, get()).await, Came::To(200));
    probe.assert_clean();
    probe.assert_idle();
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_readiness_is_refused_when_the_circuit_opens_meanwhile() {
    let (probe, peer) = (ContractProbe::new(), Peer::ill());
    let service = three().layer(probe.layer(peer.serve()));
    probe.hold();
    let mut waiting = task::spawn(service.clone().oneshot(get()));
    assert_pending!(waiting.poll());
    probe.release();
    fail(&service, 3).await;
    let Poll::Ready(result) = waiting.poll() else {
        panic!("it waits");
    };
    assert_eq!(came(&result), REFUSED);
    assert_eq!(peer.calls(), 3);
    drop(waiting);
    probe.assert_idle();
}

#[tokio::test(start_paused = true)]
async fn who_is_refused_while_it_waits_gives_up_its_place_before_its_future_is_dropped() {
    let (peer, handle) = (Peer::well(), BreakerHandle::new());
    let layers = ServiceBuilder::new()
        .layer(three().shared().handle(&handle))
        .layer(GlobalConcurrencyLimitLayer::new(1));
    let service = layers.service(peer.serve());
    let first = service.clone().call(get());
    let mut refused = task::spawn(service.clone().call(get()));
    assert_pending!(refused.poll());
    handle.force_open("shared");
    let Poll::Ready(result) = refused.poll() else {
        panic!("it waits");
    };
    assert_eq!(came(&result), Came::ToRefusal(State::ForcedOpen));
    handle.reset("shared");
    drop(first);
    let mut next = task::spawn(service.clone().call(get()));
    let Poll::Ready(result) = next.poll() else {
        panic!("it waits for one that is over");
    };
    assert_eq!(came(&result), Came::To(200));
    drop(refused);
}

type Hook = Arc<Mutex<Option<Box<dyn FnOnce() + Send>>>>;

/// Does something, once, while it is asked whether it is ready.
#[derive(Clone)]
struct Hooked<S> {
    inner: S,
    hook: Hook,
}

impl<S: Service<Request<()>>> Service<Request<()>> for Hooked<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        let hook = self.hook.lock().unwrap().take();
        hook.into_iter().for_each(|hook| hook());
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<()>) -> S::Future {
        self.inner.call(request)
    }
}

#[tokio::test(start_paused = true)]
async fn who_loses_the_probe_to_another_while_it_gets_ready_holds_no_readiness() {
    let (probe, peer, hook) = (ContractProbe::new(), Peer::ill(), Hook::default());
    let service = three().probes(1).layer(Hooked {
        inner: probe.layer(peer.serve()),
        hook: Arc::clone(&hook),
    });
    fail(&service, 3).await;
    pause(6 * SECOND).await;
    let (other, taken) = (service.clone(), Arc::new(Mutex::new(None)));
    let keep = Arc::clone(&taken);
    *hook.lock().unwrap() = Some(Box::new(move || {
        *keep.lock().unwrap() = Some(other.clone().call(get()));
    }));
    let mut loser = service.clone();
    assert_eq!(
        came(&loser.call(get()).await),
        Came::ToRefusal(State::HalfOpen)
    );
    assert_eq!(
        probe.counts().reserved,
        0,
        "the instance that was ready has gone"
    );
    let winner = taken.lock().unwrap().take().unwrap();
    assert_eq!(came(&winner.await), Came::To(503));
    probe.assert_clean();
}

#[tokio::test(start_paused = true)]
async fn within_a_buffer_it_opens_refuses_and_closes() {
    let peer = Peer::ill();
    let service = Buffer::new(three().layer(peer.serve()), 4);
    fail(&service, 3).await;
    assert_eq!(call(&service, get()).await, REFUSED);
    pause(6 * SECOND).await;
    peer.turns(|| answer(200));
    for _ in 0..3 {
        assert_eq!(call(&service, get()).await, Came::To(200));
    }
    pause(6 * SECOND).await;
    for _ in 0..10 {
        assert_eq!(call(&service, get()).await, Came::To(200));
    }
}

#[tokio::test(start_paused = true)]
async fn a_failure_to_become_ready_counts_and_comes_out_of_the_call() {
    let probe = ContractProbe::new().tolerate_polls_after_error();
    let service = three().layer(probe.layer(Peer::well().serve()));
    for _ in 0..3 {
        probe.fail_readiness("broken");
        assert_eq!(call(&service, get()).await, Came::ToError);
    }
    assert_eq!(call(&service, get()).await, REFUSED);
}

#[tokio::test(start_paused = true)]
async fn readied_and_idle_clones_take_nothing() {
    let peer = Peer::ill();
    let service = ServiceBuilder::new()
        .layer(three())
        .layer(GlobalConcurrencyLimitLayer::new(1))
        .service(peer.serve());
    fail(&service, 3).await;
    pause(6 * SECOND).await;
    peer.turns(|| answer(200));
    let mut cx = Context::from_waker(Waker::noop());
    let mut idle = vec![service.clone(); 1_000];
    for clone in &mut idle {
        assert!(matches!(clone.poll_ready(&mut cx), Poll::Ready(Ok(()))));
    }
    for _ in 0..3 {
        assert_eq!(call(&service, get()).await, Came::To(200));
    }
}

#[tokio::test(start_paused = true)]
async fn calls_go_through_limits_and_buffers_below_and_above() {
    let service = ServiceBuilder::new()
        .buffer(1)
        .layer(ConcurrencyLimitLayer::new(1))
        .layer(three())
        .layer(ConcurrencyLimitLayer::new(1))
        .buffer(1)
        .service(Peer::well().serve());
    for _ in 0..10 {
        assert_eq!(call(&service, get()).await, Came::To(200));
    }
}

#[tokio::test(start_paused = true)]
async fn switched_off_it_passes_everything_through() {
    let (probe, peer) = (ContractProbe::new(), Peer::ill());
    let mut off = three().enabled(false).layer(probe.layer(peer.serve()));
    let mut readiness = task::spawn(());
    probe.hold();
    assert!(readiness.enter(|cx, _| off.poll_ready(cx)).is_pending());
    probe.release();
    assert!(readiness.is_woken());
    fail(&off, 100).await;
    probe.assert_clean();
}

#[tokio::test(start_paused = true)]
async fn it_fits_where_a_shared_service_is_asked_for() {
    let service = BreakerLayer::default().layer(Peer::well().serve());
    let shared = BoxCloneSyncService::new(service);
    assert_eq!(call(&shared, get()).await, Came::To(200));
}
