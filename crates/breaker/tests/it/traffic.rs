//! What the default does with traffic, on the paused clock.

use std::sync::atomic::AtomicU64;

use outrigger_breaker::BreakerHandle;

use super::*;

/// A peer of which so many percent of the answers are 503, each by its own die.
fn failing(
    percent: &Arc<AtomicU64>,
    seed: u64,
) -> impl Service<Request<()>, Response = Response<Body>, Error = BoxError, Future: Send> + Clone + use<>
{
    let (percent, dice) = (
        Arc::clone(percent),
        Arc::new(Mutex::new(fastrand::Rng::with_seed(seed))),
    );
    service_fn(move |_: Request<()>| {
        let fails = dice.lock().unwrap().u64(0..100) < percent.load(Ordering::Relaxed);
        async move { answer(if fails { 503 } else { 200 }) }
    })
}

#[tokio::test(start_paused = true)]
async fn a_third_of_failures_never_opens_the_default_and_four_fifths_do_within_two_seconds() {
    for seed in 0..20 {
        let (percent, handle) = (Arc::new(AtomicU64::new(0)), BreakerHandle::new());
        let layer = BreakerLayer::default().handle(&handle);
        let service = layer.layer(failing(&percent, seed));
        let each_ten_ms = async |calls| {
            for nth in 0..calls {
                if let Came::ToRefusal(_) = call(&service, get()).await {
                    return nth;
                }
                pause(10 * MS).await;
            }
            calls
        };
        percent.store(30, Ordering::Relaxed);
        assert_eq!(each_ten_ms(6_000).await, 6_000, "cold, seed {seed}");
        percent.store(80, Ordering::Relaxed);
        // 10 s of calls of which a third failed are in the window.
        assert!(each_ten_ms(700).await < 700, "seed {seed}");

        handle.reset("http://a.example:80");
        assert!(each_ten_ms(200).await < 200, "within 2 s, seed {seed}");

        handle.reset("http://a.example:80");
        percent.store(0, Ordering::Relaxed);
        assert_eq!(each_ten_ms(50).await, 50, "well");
        percent.store(80, Ordering::Relaxed);
        assert!(each_ten_ms(200).await < 200, "warm, seed {seed}");
    }
}

#[tokio::test(start_paused = true)]
async fn after_a_recovery_an_endpoint_that_is_called_once_a_second_is_refused_nothing() {
    let peer = Peer::ill();
    let service = BreakerLayer::default().layer(peer.serve());
    fail(&service, 5).await;
    assert_eq!(call(&service, get()).await, REFUSED);
    peer.turns(|| answer(200));
    pause(6 * SECOND).await;
    for _ in 0..100 {
        assert_eq!(call(&service, get()).await, Came::To(200));
        pause(SECOND).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_bears_little_at_first_is_not_tripped_again_by_its_own_return() {
    // After a restart the peer bears 10 calls a second, and 10 more each second.
    let (restarted, served) = (Instant::now(), Arc::new(Mutex::new((0_u64, 0_u64))));
    let server = service_fn(move |_: Request<()>| {
        let second = restarted.elapsed().as_secs();
        let mut served = served.lock().unwrap();
        if served.0 != second {
            *served = (second, 0);
        }
        served.1 += 1;
        let bears = match second {
            0..20 => 0,
            _ => (second - 19) * 20,
        };
        let well = served.1 <= bears;
        async move { answer(if well { 200 } else { 503 }) }
    });
    let handle = BreakerHandle::new();
    let service = BreakerLayer::default().handle(&handle).layer(server);
    let mut openings_after_recovery = None;
    for _ in 0..6_000 {
        call(&service, get()).await;
        let seen = handle.snapshots()[0].clone();
        match openings_after_recovery {
            None if seen.state() == State::Ramping => {
                openings_after_recovery = Some(seen.openings())
            }
            Some(openings) => assert_eq!(seen.openings().max(openings), openings, "{seen:?}"),
            None => {}
        }
        pause(10 * MS).await;
    }
    assert_eq!(handle.snapshots()[0].state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn a_window_forgets_what_is_older_than_it_whatever_came_before() {
    let peer = Peer::well();
    let service = BreakerLayer::default().layer(peer.serve());
    for _ in 0..100_000 {
        call(&service, get()).await;
    }
    pause(10 * SECOND).await;
    peer.turns(|| answer(503));
    fail(&service, 5).await;
    assert_eq!(call(&service, get()).await, REFUSED);
}

#[tokio::test(start_paused = true)]
async fn within_a_window_half_and_one_failures_trip_whatever_came_before() {
    let peer = Peer::well();
    let service = BreakerLayer::default().layer(peer.serve());
    for _ in 0..1_000 {
        for _ in 0..100 {
            call(&service, get()).await;
        }
        pause(SECOND).await;
    }
    // 1,000 calls are in the window, 100 a second.
    peer.turns(|| answer(503));
    let mut failures = 0;
    'open: loop {
        for _ in 0..100 {
            if call(&service, get()).await == REFUSED {
                break 'open;
            }
            failures += 1;
        }
        pause(SECOND).await;
    }
    assert!(failures <= 501, "{failures}");
}
