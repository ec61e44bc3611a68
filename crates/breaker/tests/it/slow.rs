//! Answers that take too long, and calls that nobody waits for any longer.

use outrigger_breaker::{BreakerHandle, Ratio};
use outrigger_core::{Elapsed, Phase};

use super::*;

#[tokio::test(start_paused = true)]
async fn slow_answers_and_slow_cancellations_open_where_the_trip_says_so() {
    let server = service_fn(async |_: Request<()>| {
        pause(SECOND).await;
        answer(200)
    });
    let trip = Trip::slow(Ratio::percent(100)).min_calls(4);
    let layer = BreakerLayer::new(trip).slow_call(500 * MS);
    let service = layer.layer(server);
    for _ in 0..2 {
        assert_eq!(call(&service, get()).await, Came::To(200));
        let cut = timeout(600 * MS, service.clone().oneshot(get())).await;
        assert!(cut.is_err());
    }
    assert_eq!(call(&service, get()).await, REFUSED);

    let service = layer.layer(server);
    for _ in 0..50 {
        let cut = timeout(400 * MS, service.clone().oneshot(get())).await;
        assert!(cut.is_err(), "sooner than slow");
    }
    assert_eq!(call(&service, get()).await, Came::To(200));
}

/// A peer that is ill, but for one path says nothing for a minute, and for another is cut by the deadline
/// after so long.
async fn mute(request: Request<()>) -> Answer {
    match request.uri().path() {
        "/ill" => return answer(503),
        "/cut" => pause(5 * SECOND).await,
        _ => pause(60 * SECOND).await,
    }
    Err(Elapsed::new(Phase::Total, 5 * SECOND).into())
}

#[tokio::test(start_paused = true)]
async fn a_slow_call_that_came_to_nothing_ends_no_run_of_failures() {
    let slow = Trip::slow(Ratio::percent(100)).min_calls(100);
    let layer = BreakerLayer::new(slow.or(Trip::consecutive(3))).slow_call(SECOND);
    let (ill, cut) = ("http://a.example/ill", "http://a.example/cut");
    for dropped in [true, false] {
        let service = layer.layer(service_fn(mute));
        for _ in 0..2 {
            assert_eq!(call(&service, to(ill)).await, Came::To(503));
        }
        match dropped {
            true => assert!(timeout(5 * SECOND, call(&service, get())).await.is_err()),
            false => assert_eq!(call(&service, to(cut)).await, Came::ToError),
        }
        assert_eq!(call(&service, to(ill)).await, Came::To(503));
        assert_eq!(call(&service, to(ill)).await, REFUSED, "dropped: {dropped}");
    }
}

#[tokio::test(start_paused = true)]
async fn probes_that_come_to_nothing_close_no_circuit_however_slow_they_are() {
    let handle = BreakerHandle::new();
    let service = three()
        .slow_call(SECOND)
        .handle(&handle)
        .layer(service_fn(mute));
    for _ in 0..3 {
        call(&service, to("http://a.example/ill")).await;
    }
    pause(6 * SECOND).await;
    for _ in 0..10 {
        assert!(timeout(5 * SECOND, call(&service, get())).await.is_err());
        assert_eq!(
            call(&service, to("http://a.example/cut")).await,
            Came::ToError
        );
    }
    assert_eq!(handle.snapshots()[0].state(), State::HalfOpen);
}
