//! Probes: exactly so many, and none is lost for good.

use std::mem;

use futures::join_all;
use http_body_util::BodyExt;
use outrigger_breaker::{BreakerHandle, HttpClassify, ResponseBody};
use tokio_test::{assert_pending, task};
use tower::util::BoxCloneSyncService;

use super::*;

type Answered = Response<ResponseBody<Body, HttpClassify>>;
type Expired = BoxCloneSyncService<Request<()>, Answered, BoxError>;

mod futures {
    /// Runs all futures to their ends, at the same time.
    pub(super) async fn join_all<F>(futures: impl IntoIterator<Item = F>) -> Vec<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let tasks: Vec<_> = futures.into_iter().map(tokio::spawn).collect();
        let mut outputs = Vec::new();
        for task in tasks {
            outputs.push(task.await.unwrap());
        }
        outputs
    }
}

/// A service that is open, and whose time is over; the peer takes a second for an answer.
async fn expired(layer: BreakerLayer, peer: &Peer) -> Expired {
    let server = peer.serve();
    let server = service_fn(move |request: Request<()>| {
        let answer = server.clone().oneshot(request);
        async move {
            let answer = answer.await;
            pause(SECOND).await;
            answer
        }
    });
    let service = layer.layer(server);
    peer.turns(|| answer(503));
    fail(&service, 3).await;
    pause(6 * SECOND).await;
    let _ = peer.calls();
    peer.turns(|| answer(200));
    BoxCloneSyncService::new(service)
}

#[tokio::test(start_paused = true)]
async fn of_a_thousand_callers_at_the_instant_of_expiry_exactly_the_probes_reach_the_server() {
    for probes in [1, 3, 10] {
        let peer = Peer::well();
        let service = expired(three().probes(probes), &peer).await;
        let calls = (0..1_000).map(|_| service.clone().oneshot(get()));
        let came = join_all(calls).await.iter().map(came).collect::<Vec<_>>();
        let answered = came.iter().filter(|came| **came == Came::To(200)).count();
        assert_eq!((peer.calls(), answered), (probes as usize, probes as usize));
        let refused = Came::ToRefusal(State::HalfOpen);
        assert!(
            came.iter()
                .all(|came| *came == Came::To(200) || *came == refused)
        );
        assert_eq!(call(&service, get()).await, Came::To(200), "it has closed");
    }
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_is_dropped_makes_room_for_the_next() {
    let peer = Peer::well();
    let service = expired(three().probes(1), &peer).await;
    for _ in 0..100 {
        let mut probe = task::spawn(service.clone().oneshot(get()));
        assert_pending!(probe.poll());
        assert_eq!(
            call(&service, get()).await,
            Came::ToRefusal(State::HalfOpen)
        );
    }
    assert_eq!(call(&service, get()).await, Came::To(200));
    assert_eq!(call(&service, get()).await, Came::To(200), "it has closed");
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_is_forgotten_ends_with_its_lease() {
    let peer = Peer::well();
    let service = expired(three().probes(1), &peer).await;
    let mut forgotten = Box::pin(service.clone().oneshot(get()));
    let poll = task::spawn(()).enter(|cx, _| forgotten.as_mut().poll(cx).is_pending());
    assert!(poll);
    mem::forget(forgotten);
    pause(10 * SECOND - MS).await;
    assert_eq!(
        call(&service, get()).await,
        Came::ToRefusal(State::HalfOpen)
    );
    pause(MS).await;
    assert_eq!(call(&service, get()).await, Came::To(200));
}

#[tokio::test(start_paused = true)]
async fn neutral_answers_give_the_probes_place_back_without_a_verdict() {
    let (peer, handle) = (Peer::well(), BreakerHandle::new());
    let service = expired(three().handle(&handle), &peer).await;
    peer.turns(|| answer(429));
    for _ in 0..100 {
        assert_eq!(call(&service, get()).await, Came::To(429));
        assert_eq!(handle.snapshots()[0].state(), State::HalfOpen);
    }
    peer.turns(|| answer(404));
    for _ in 0..3 {
        assert_eq!(call(&service, get()).await, Came::To(404));
    }
    assert_eq!(handle.snapshots()[0].state(), State::Ramping);
}

#[tokio::test(start_paused = true)]
async fn a_probe_slower_than_its_lease_still_closes_the_circuit() {
    let server = service_fn(async |request: Request<()>| {
        if request.uri().path() == "/ill" {
            return answer(503);
        }
        pause(60 * SECOND).await;
        answer(200)
    });
    let handle = BreakerHandle::new();
    let service = three().probes(1).handle(&handle).layer(server);
    for _ in 0..3 {
        call(&service, to("http://a.example/ill")).await;
    }
    pause(6 * SECOND).await;
    assert_eq!(call(&service, get()).await, Came::To(200));
    assert_eq!(handle.snapshots()[0].state(), State::Ramping);
}

#[tokio::test(start_paused = true)]
async fn the_body_of_a_probe_does_not_hold_its_place() {
    let peer = Peer::well();
    let service = expired(three(), &peer).await;
    let mut bodies = Vec::new();
    for _ in 0..3 {
        bodies.push(service.clone().oneshot(get()).await.unwrap().into_body());
    }
    assert_eq!(call(&service, get()).await, Came::To(200), "it ramps");
    for body in bodies {
        drop(Box::pin(body).collect());
    }
}
