//! Calls that wait below while their circuit opens.

use outrigger_breaker::{BreakerHandle, Ratio};
use outrigger_core::call::{self, Call, Dispatch};
use tokio::sync::Semaphore;
use tokio_test::{assert_pending, assert_ready, task};

use super::*;

/// A layer of ours that holds calls back until there is a permit, and says so.
fn queue(
    permits: &Arc<Semaphore>,
    peer: &Peer,
) -> impl Service<Request<()>, Response = Response<Body>, Error = BoxError, Future: Send> + Clone + use<>
{
    let (permits, peer) = (Arc::clone(permits), peer.serve());
    service_fn(move |request: Request<()>| {
        let (permits, peer) = (Arc::clone(&permits), peer.clone());
        async move {
            call::update(Call::hold);
            let permit = permits.acquire().await?;
            call::update(Call::launch);
            call::update(|call| call.report(Dispatch::Sent(Instant::now())));
            let answer = peer.oneshot(request).await;
            drop(permit);
            answer
        }
    })
}

#[tokio::test(start_paused = true)]
async fn a_call_that_waits_below_is_refused_when_its_turn_comes_and_the_circuit_is_open() {
    let (peer, permits) = (Peer::ill(), Arc::new(Semaphore::new(3)));
    let service = three().layer(queue(&permits, &peer));
    let hold = Arc::clone(&permits).acquire_many_owned(3).await.unwrap();
    let mut waiting: Vec<_> = (0..20)
        .map(|_| task::spawn(service.clone().oneshot(get())))
        .collect();
    for call in &mut waiting {
        assert_pending!(call.poll());
    }
    drop(hold);
    let came: Vec<_> = waiting
        .iter_mut()
        .map(|call| came(&assert_ready!(call.poll())))
        .collect();
    assert_eq!(came[..3], [Came::To(503); 3]);
    assert!(came[3..].iter().all(|came| *came == REFUSED), "{came:?}");
    assert_eq!(peer.calls(), 3);
    assert_eq!(permits.available_permits(), 3, "what they held is back");
}

#[tokio::test(start_paused = true)]
async fn one_whose_turn_comes_when_the_circuit_may_be_probed_is_a_probe() {
    let (peer, permits) = (Peer::ill(), Arc::new(Semaphore::new(3)));
    let handle = BreakerHandle::new();
    let service = three()
        .probes(1)
        .handle(&handle)
        .layer(queue(&permits, &peer));
    let hold = Arc::clone(&permits).acquire_many_owned(3).await.unwrap();
    let mut waiting: Vec<_> = (0..5)
        .map(|_| task::spawn(service.clone().oneshot(get())))
        .collect();
    for call in &mut waiting {
        assert_pending!(call.poll());
    }
    drop(hold);
    for call in &mut waiting[..3] {
        assert_ready!(call.poll()).unwrap();
    }
    pause(6 * SECOND).await;
    peer.turns(|| answer(200));
    let probe = assert_ready!(waiting[3].poll());
    assert_eq!(came(&probe), Came::To(200));
    assert_eq!(handle.snapshots()[0].state(), State::Ramping);
}

#[tokio::test(start_paused = true)]
async fn waiting_below_is_never_held_against_the_peer() {
    let (peer, permits) = (Peer::well(), Arc::new(Semaphore::new(1)));
    let handle = BreakerHandle::new();
    let trip = Trip::slow(Ratio::percent(1)).min_calls(1);
    let layer = BreakerLayer::new(trip).slow_call(SECOND).handle(&handle);
    let service = layer.layer(queue(&permits, &peer));
    let hold = Arc::clone(&permits).acquire_owned().await.unwrap();
    let mut waiting: Vec<_> = (0..3)
        .map(|_| task::spawn(service.clone().oneshot(get())))
        .collect();
    for call in &mut waiting {
        assert_pending!(call.poll());
    }
    pause(60 * SECOND).await;
    drop(waiting.pop());
    drop(hold);
    for call in &mut waiting {
        assert_eq!(came(&assert_ready!(call.poll())), Came::To(200));
    }
    let seen = &handle.snapshots()[0];
    assert_eq!(
        (seen.state(), seen.calls(), seen.slow()),
        (State::Closed, 2, 0)
    );
}

/// A transport that takes a request into its queue when it is called, and sends it when it is polled.
fn transport(
    peer: &Peer,
) -> impl Service<Request<()>, Response = Response<Body>, Error = BoxError, Future: Send> + Clone + use<>
{
    let peer = peer.serve();
    service_fn(move |request: Request<()>| {
        call::update(|call| call.report(Dispatch::Waiting));
        let peer = peer.clone();
        async move {
            call::update(|call| call.report(Dispatch::Sent(Instant::now())));
            peer.oneshot(request).await
        }
    })
}

#[tokio::test(start_paused = true)]
async fn calls_that_nobody_has_polled_yet_wait_below_as_well() {
    let peer = Peer::ill();
    let service = three().layer(transport(&peer));
    let made = [(); 20].map(|()| service.clone().call(get()));
    let mut came = Vec::new();
    for call in made {
        came.push(super::came(&call.await));
    }
    assert_eq!(came[..3], [Came::To(503); 3]);
    assert!(came[3..].iter().all(|came| *came == REFUSED), "{came:?}");
    assert_eq!(peer.calls(), 3);
}

#[tokio::test(start_paused = true)]
async fn calls_that_are_dropped_before_they_were_polled_are_not_slow() {
    let handle = BreakerHandle::new();
    let trip = Trip::slow(Ratio::percent(1)).min_calls(1);
    let layer = BreakerLayer::new(trip).slow_call(SECOND).handle(&handle);
    let service = layer.layer(transport(&Peer::well()));
    let made = [(); 20].map(|()| service.clone().call(get()));
    pause(60 * SECOND).await;
    drop(made);
    let seen = &handle.snapshots()[0];
    assert_eq!((seen.state(), seen.calls()), (State::Closed, 0));
}

#[tokio::test(start_paused = true)]
async fn the_lease_of_a_probe_runs_from_its_dispatch() {
    let (peer, permits) = (Peer::ill(), Arc::new(Semaphore::new(1)));
    let silent = peer.clone();
    let server = {
        let (permits, answering) = (Arc::clone(&permits), peer.serve());
        service_fn(move |request: Request<()>| {
            let (permits, answering) = (Arc::clone(&permits), answering.clone());
            async move {
                if request.uri().path() == "/ill" {
                    return answering.oneshot(request).await;
                }
                call::update(Call::hold);
                let _permit = permits.acquire().await?;
                call::update(|call| call.report(Dispatch::Sent(Instant::now())));
                std::future::pending::<Answer>().await
            }
        })
    };
    let service = three().probes(1).layer(server);
    for _ in 0..3 {
        call(&service, to("http://a.example/ill")).await;
    }
    pause(6 * SECOND).await;
    silent.turns(|| answer(200));
    let hold = Arc::clone(&permits).acquire_owned().await.unwrap();
    let mut probe = task::spawn(service.clone().oneshot(get()));
    assert_pending!(probe.poll());
    pause(9 * SECOND).await;
    drop(hold);
    assert_pending!(probe.poll());
    pause(9 * SECOND).await;
    let refused = Came::ToRefusal(State::HalfOpen);
    assert_eq!(call(&service, to("http://a.example/ill")).await, refused);
    pause(SECOND).await;
    assert_eq!(
        call(&service, to("http://a.example/ill")).await,
        Came::To(200)
    );
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_waited_beyond_its_lease_is_refused_when_another_has_its_place() {
    let (peer, permits) = (Peer::ill(), Arc::new(Semaphore::new(2)));
    let queue = queue(&permits, &peer);
    let service = three().probes(1).layer(service_fn(move |request| {
        let answer = queue.clone().oneshot(request);
        async move {
            let answer = answer.await;
            pause(SECOND).await;
            answer
        }
    }));
    fail(&service, 3).await;
    pause(6 * SECOND).await;
    peer.turns(|| answer(200));
    let _ = peer.calls();
    let hold = Arc::clone(&permits).acquire_many_owned(2).await.unwrap();
    let mut first = task::spawn(service.clone().oneshot(get()));
    assert_pending!(first.poll());
    pause(10 * SECOND).await;
    let mut second = task::spawn(service.clone().oneshot(get()));
    assert_pending!(second.poll());
    drop(hold);
    let refused = came(&assert_ready!(first.poll()));
    assert_eq!(refused, Came::ToRefusal(State::HalfOpen));
    assert_pending!(second.poll());
    assert_eq!(peer.calls(), 1);
}
