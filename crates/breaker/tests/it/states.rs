//! From state to state, as a caller sees it.

use std::error::Error;

use outrigger_breaker::{BreakerHandle, Ratio};
use outrigger_core::{Blame, Failure, Fault, Outcome, Rejected};

use super::*;

#[tokio::test(start_paused = true)]
async fn failures_in_a_row_open_and_probes_close_again() {
    let (peer, handle) = (Peer::ill(), BreakerHandle::new());
    let layer = three().handle(&handle);
    let service = layer.layer(peer.serve());
    let state = || handle.snapshot("http://a.example:80").unwrap().state();
    fail(&service, 3).await;
    assert_eq!(
        (state(), call(&service, get()).await),
        (State::Open, REFUSED)
    );
    assert_eq!(peer.calls(), 3, "the fourth was not sent");

    pause(6 * SECOND).await;
    peer.turns(|| answer(200));
    for _ in 0..3 {
        assert_eq!(call(&service, get()).await, Came::To(200));
    }
    assert_eq!(state(), State::Ramping);
    pause(6 * SECOND).await;
    assert_eq!(state(), State::Closed);
    for _ in 0..100 {
        assert_eq!(call(&service, get()).await, Came::To(200));
    }
}

#[tokio::test(start_paused = true)]
async fn a_success_in_between_begins_the_run_anew() {
    let peer = Peer::ill();
    let service = three().layer(peer.serve());
    for _ in 0..10 {
        peer.turns(|| answer(503));
        fail(&service, 2).await;
        peer.turns(|| answer(200));
        assert_eq!(call(&service, get()).await, Came::To(200));
    }
}

#[tokio::test(start_paused = true)]
async fn so_does_an_error_that_tells_of_a_good_answer() {
    let peer = Peer::ill();
    let service = three().layer(peer.serve());
    for _ in 0..10 {
        peer.turns(|| answer(503));
        fail(&service, 2).await;
        peer.turns(|| {
            let fault = Fault::new(Outcome::Answered(StatusCode::GONE));
            Err(Failure::new("not what was asked for", fault).into())
        });
        assert_eq!(call(&service, get()).await, Came::ToError);
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_says_who_and_when_and_that_nothing_was_sent() {
    let service = three().layer(Peer::ill().serve());
    fail(&service, 3).await;
    let now = Instant::now();
    let error = service.clone().oneshot(get()).await.unwrap_err();
    let open = error.downcast_ref::<Open>().unwrap();
    let wait = open.retry_at().unwrap() - now;
    assert!((4 * SECOND..=6 * SECOND).contains(&wait), "{wait:?}");
    assert_eq!(
        (open.circuit(), open.state()),
        ("http://a.example:80", State::Open)
    );
    assert_eq!(
        open.to_string(),
        format!("the circuit of http://a.example:80 is open: ask again in {wait:?}")
    );
    let rejected = open.source().unwrap().downcast_ref::<Rejected>().unwrap();
    assert_eq!(
        (rejected.by(), rejected.retry_at()),
        ("breaker", open.retry_at())
    );
    let fault = Fault::of(&*error);
    assert_eq!((fault.outcome, fault.blame), (Outcome::Unsent, Blame::Us));

    let early = open.retry_at().unwrap() - MS;
    sleep_until(early).await;
    assert_eq!(call(&service, get()).await, REFUSED);
    pause(MS).await;
    assert_eq!(call(&service, get()).await, Came::To(503), "a probe");
}

#[tokio::test(start_paused = true)]
async fn each_opening_in_a_row_is_twice_as_long_and_a_stable_time_forgets_them() {
    let peer = Peer::ill();
    let service = three().layer(peer.serve());
    fail(&service, 3).await;
    let wait = async || {
        let error = service.clone().oneshot(get()).await.unwrap_err();
        let now = Instant::now();
        find::<Open>(&*error).unwrap().retry_at().unwrap() - now
    };
    for seconds in [5, 10, 20, 40, 60, 60] {
        let wait = wait().await;
        let (low, high) = (seconds * SECOND * 4 / 5, seconds * SECOND * 6 / 5);
        assert!((low..=high).contains(&wait), "{wait:?} for {seconds} s");
        pause(wait).await;
        assert_eq!(
            call(&service, get()).await,
            Came::To(503),
            "the probe fails"
        );
    }
    let last = wait().await;
    pause(last).await;
    peer.turns(|| answer(200));
    for _ in 0..3 {
        call(&service, get()).await;
    }
    pause(6 * SECOND).await;
    peer.turns(|| answer(503));
    fail(&service, 3).await;
    assert!(wait().await > 40 * SECOND, "so soon after");

    let again = wait().await;
    pause(again).await;
    peer.turns(|| answer(200));
    for _ in 0..3 {
        call(&service, get()).await;
    }
    pause(66 * SECOND).await;
    peer.turns(|| answer(503));
    fail(&service, 3).await;
    assert!(wait().await <= 6 * SECOND, "long after");
}

#[tokio::test(start_paused = true)]
async fn circuits_that_opened_together_do_not_probe_together() {
    let service = three().layer(Peer::ill().serve());
    let mut waits = std::collections::HashSet::new();
    for host in 0..50 {
        let uri: &str = Box::leak(format!("http://host-{host}.example/").into_boxed_str());
        for _ in 0..3 {
            call(&service, to(uri)).await;
        }
        let error = service.clone().oneshot(to(uri)).await.unwrap_err();
        waits.insert(find::<Open>(&*error).unwrap().retry_at());
    }
    assert!(waits.len() > 45, "{}", waits.len());
}

#[tokio::test(start_paused = true)]
async fn each_endpoint_has_its_circuit_and_all_its_spellings_share_it() {
    let service = three().layer(Peer::ill().serve());
    for uri in [
        "http://a.example/x",
        "HTTP://A.EXAMPLE:80/y",
        "http://u:p@a.example",
    ] {
        assert_eq!(call(&service, to(uri)).await, Came::To(503));
    }
    assert_eq!(call(&service, get()).await, REFUSED);
    for uri in [
        "http://b.example/",
        "https://a.example/",
        "http://a.example:8080/",
    ] {
        assert_eq!(call(&service, to(uri)).await, Came::To(503), "{uri}");
    }
}

#[tokio::test(start_paused = true)]
async fn one_circuit_may_be_for_all_and_a_key_for_any() {
    let service = three().shared().layer(Peer::ill().serve());
    for uri in ["http://a", "http://b", "http://c"] {
        assert_eq!(call(&service, to(uri)).await, Came::To(503));
    }
    assert_eq!(call(&service, to("http://d")).await, REFUSED);

    let by_path = three().key(|request: &Request<()>| request.uri().path().to_owned());
    let service = by_path.layer(Peer::ill().serve());
    for uri in ["http://a/x", "http://b/x", "http://c/x"] {
        assert_eq!(call(&service, to(uri)).await, Came::To(503));
    }
    assert_eq!(call(&service, to("http://a/x")).await, REFUSED);
    assert_eq!(call(&service, to("http://a/y")).await, Came::To(503));
}

#[tokio::test(start_paused = true)]
async fn clones_share_and_layer_begins_afresh() {
    let layer = three();
    let service = layer.layer(Peer::ill().serve());
    fail(&service.clone(), 3).await;
    assert_eq!(call(&service, get()).await, REFUSED);
    let other = layer.layer(Peer::ill().serve());
    assert_eq!(call(&other, get()).await, Came::To(503));
}

#[tokio::test(start_paused = true)]
async fn what_was_admitted_before_the_trip_never_moves_the_state() {
    let peer = Peer::ill();
    let late = peer.serve();
    let server = service_fn(move |request: Request<()>| {
        let slow = request.uri().path() == "/slow";
        let call = late.clone().oneshot(request);
        async move {
            if slow {
                pause(5500 * MS).await;
                return answer(200);
            }
            call.await
        }
    });
    let handle = BreakerHandle::new();
    let layer = three().handle(&handle).open_for(5 * SECOND);
    let service = layer.layer(server);
    let slow: Vec<_> = (0..9)
        .map(|_| tokio::spawn(service.clone().oneshot(to("http://a.example/slow"))))
        .collect();
    tokio::task::yield_now().await;
    fail(&service, 3).await;
    let opened = handle.snapshots()[0].clone();
    for late in slow {
        assert_eq!(came(&late.await.unwrap()), Came::To(200));
    }
    assert_eq!(handle.snapshots()[0], opened, "nine late successes");
    pause(SECOND).await;
    assert_eq!(
        call(&service, get()).await,
        Came::To(503),
        "a probe, and it fails"
    );
    assert_eq!(call(&service, get()).await, REFUSED);
}

#[tokio::test(start_paused = true)]
async fn a_ramp_lets_more_and_more_through_and_some_at_any_rate() {
    let peer = Peer::ill();
    let service = three().layer(peer.serve());
    fail(&service, 3).await;
    pause(6 * SECOND).await;
    peer.turns(|| answer(200));
    for _ in 0..3 {
        call(&service, get()).await;
    }
    let mut passed = Vec::new();
    for _ in 0..7 {
        let _ = peer.calls();
        for _ in 0..100 {
            let came = call(&service, get()).await;
            let ramping = Came::ToRefusal(State::Ramping);
            assert!(came == Came::To(200) || came == ramping, "{came:?}");
            pause(10 * MS).await;
        }
        passed.push(peer.calls());
    }
    assert_eq!(passed, [10, 10, 25, 25, 50, 50, 100]);
}

#[tokio::test(start_paused = true)]
async fn a_ramp_that_fails_opens_again() {
    let peer = Peer::ill();
    let slack = Trip::ratio(Ratio::percent(50))
        .min_calls(1_000)
        .fallback(10);
    let service = BreakerLayer::new(slack).layer(peer.serve());
    fail(&service, 10).await;
    pause(6 * SECOND).await;
    peer.turns(|| answer(200));
    for _ in 0..3 {
        call(&service, get()).await;
    }
    peer.turns(|| answer(503));
    fail(&service, 3).await;
    assert_eq!(
        call(&service, get()).await,
        REFUSED,
        "as many as there were probes"
    );
}
