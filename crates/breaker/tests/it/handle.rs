//! What an operator sees and can do.

use std::sync::OnceLock;

use outrigger_breaker::{BreakerHandle, HttpClassify, ResponseBody};
use tower::util::BoxCloneSyncService;

use super::*;

const A: &str = "http://a.example:80";

#[tokio::test(start_paused = true)]
async fn a_forced_circuit_stays_so_whatever_happens() {
    let (peer, handle) = (Peer::well(), BreakerHandle::new());
    let service = three().handle(&handle).layer(peer.serve());
    handle.force_open(A);
    for _ in 0..10 {
        assert_eq!(
            call(&service, get()).await,
            Came::ToRefusal(State::ForcedOpen)
        );
        pause(100 * SECOND).await;
    }
    let error = service.clone().oneshot(get()).await.unwrap_err();
    assert_eq!(find::<Open>(&*error).unwrap().retry_at(), None);
    assert_eq!(peer.calls(), 0);

    handle.force_closed(A);
    peer.turns(|| answer(503));
    fail(&service, 100).await;
    assert_eq!(handle.snapshot(A).unwrap().state(), State::ForcedClosed);

    handle.reset(A);
    fail(&service, 3).await;
    assert_eq!(call(&service, get()).await, REFUSED);
    handle.reset(A);
    peer.turns(|| answer(200));
    assert_eq!(call(&service, get()).await, Came::To(200));
    let seen = handle.snapshot(A).unwrap();
    assert_eq!(
        (seen.state(), seen.openings(), seen.calls()),
        (State::Closed, 0, 1)
    );
}

#[tokio::test(start_paused = true)]
async fn all_circuits_can_be_seen_with_what_they_counted() {
    let (peer, handle) = (Peer::well(), BreakerHandle::new());
    let layer = BreakerLayer::default().handle(&handle);
    let service = layer.layer(peer.serve());
    assert!(handle.snapshots().is_empty() && handle.snapshot(A).is_none());
    call(&service, get()).await;
    peer.turns(|| answer(500));
    call(&service, get()).await;
    call(&service, to("https://b.example/")).await;
    let mut seen = handle.snapshots();
    seen.sort_by(|one, other| one.circuit().cmp(other.circuit()));
    let seen: Vec<_> = seen
        .iter()
        .map(|seen| (seen.circuit(), seen.calls(), seen.failures(), seen.slow()))
        .collect();
    assert_eq!(seen, [(A, 2, 1, 0), ("https://b.example:443", 1, 1, 0)]);

    let shared = BreakerLayer::default().shared().handle(&handle);
    let shared = shared.layer(peer.serve());
    assert!(handle.snapshot("shared").is_some(), "a second service");
    drop((service, shared));
    assert!(
        handle.snapshots().is_empty(),
        "their circuits went with them"
    );
}

#[tokio::test(start_paused = true)]
async fn changes_are_told() {
    let (peer, handle) = (Peer::ill(), BreakerHandle::new());
    let mut changes = handle.subscribe();
    let service = three().handle(&handle).layer(peer.serve());
    let mut next = async || {
        in_time(changes.changed()).await.unwrap();
        changes.borrow_and_update().as_ref().unwrap().state()
    };
    fail(&service, 3).await;
    assert_eq!(next().await, State::Open);
    pause(6 * SECOND).await;
    peer.turns(|| answer(200));
    call(&service, get()).await;
    assert_eq!(next().await, State::HalfOpen);
    call(&service, get()).await;
    call(&service, get()).await;
    assert_eq!(next().await, State::Ramping);
    handle.force_open(A);
    assert_eq!(next().await, State::ForcedOpen);
}

#[tokio::test(start_paused = true)]
async fn keys_are_the_names_where_there_are_keys() {
    let handle = BreakerHandle::new();
    let layer = three().key(|_: &Request<()>| "shard-7").handle(&handle);
    let service = layer.layer(Peer::well().serve());
    handle.force_open("shard-7");
    assert_eq!(
        call(&service, get()).await,
        Came::ToRefusal(State::ForcedOpen)
    );
    handle.force_open("not a uri at all");
    assert!(handle.snapshot("not a uri at all").is_some());
}

#[tokio::test(start_paused = true)]
async fn an_order_to_no_circuit_is_not_obeyed_and_says_so() {
    let handle = BreakerHandle::new();
    assert!(!handle.force_open(A), "no service yet");
    let service = three().handle(&handle).layer(Peer::well().serve());
    for name in ["not a uri", "a.example", "/", "ftp://a.example", ""] {
        let orders = [
            handle.force_open(name),
            handle.force_closed(name),
            handle.reset(name),
        ];
        assert_eq!(
            (orders, handle.snapshot(name)),
            ([false; 3], None),
            "{name}"
        );
    }
    assert!(handle.snapshots().is_empty());
    for name in ["HTTPS://A.example", "https://[::1]:444", A] {
        assert!(handle.force_open(name), "{name}");
    }
    assert_eq!(handle.snapshots().len(), 3);
    assert_eq!(
        call(&service, get()).await,
        Came::ToRefusal(State::ForcedOpen)
    );
    assert!(handle.reset(A));
    assert_eq!(call(&service, get()).await, Came::To(200));
    drop(service);
    assert!(!handle.reset(A), "no service any more");
}

/// Sees, opens and resets all circuits, now and when it is dropped.
struct Meddler(BreakerHandle);

impl Meddler {
    fn meddle(&self) {
        assert_eq!(self.0.snapshots().len(), 1);
        self.0.force_open("shared");
        self.0.reset("shared");
    }
}

impl Drop for Meddler {
    fn drop(&mut self) {
        self.meddle();
    }
}

#[tokio::test(start_paused = true)]
async fn the_peer_may_use_the_handle_and_the_service_itself_whenever_it_is_asked() {
    type Own =
        BoxCloneSyncService<Request<()>, Response<ResponseBody<Body, HttpClassify>>, BoxError>;
    let (handle, own) = (BreakerHandle::new(), Arc::new(OnceLock::<Own>::new()));
    let (operator, itself) = (handle.clone(), Arc::clone(&own));
    let server = service_fn(move |request: Request<()>| {
        let (meddler, itself) = (Meddler(operator.clone()), Arc::clone(&itself));
        meddler.meddle();
        async move {
            meddler.meddle();
            if request.uri().path() == "/nested" {
                let nested = itself.get().unwrap().clone().oneshot(get());
                assert_eq!(nested.await?.status(), 503);
            }
            answer(503)
        }
    });
    let service = three().shared().handle(&handle).layer(server);
    let service = own.get_or_init(|| BoxCloneSyncService::new(service));
    for _ in 0..10 {
        assert_eq!(
            call(service, to("http://a.example/nested")).await,
            Came::To(503)
        );
        drop(service.clone().call(get()));
    }
    let seen = &handle.snapshots()[0];
    assert_eq!((seen.state(), seen.calls()), (State::Closed, 0));
}
