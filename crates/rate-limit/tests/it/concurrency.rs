//! So many calls at a time.

use std::panic::AssertUnwindSafe;

use http_body_util::BodyExt;
use outrigger_core::call::{Dispatch, Scope};
use outrigger_core::{Blame, Fault, Outcome, Rejected};
use outrigger_rate_limit::{ConcurrencyHandle, ConcurrencyLayer, Occupancy, Saturated};
use outrigger_testkit::probe::ContractProbe;
use outrigger_testkit::{Body, drop_at_every_poll};
use tokio::task::JoinSet;
use tokio_test::{assert_pending, assert_ready_err, assert_ready_ok, task};

use super::*;

fn at_most(calls: u32) -> ConcurrencyLayer {
    ConcurrencyLayer::new(number(calls))
}

/// A server that answers after a second, with a body as the number says.
fn server()
-> impl Service<Request<u32>, Response = Response<Body>, Error = BoxError, Future: Send> + Clone + Send
{
    service_fn(async |request: Request<u32>| {
        pause(SECOND).await;
        let body = Body::empty().data("one");
        match *request.body() {
            0 => Ok(Response::new(Body::empty())),
            1 => Ok(Response::new(body.pause(SECOND).data("two"))),
            2 => Ok(Response::new(body.fail(|| "cut"))),
            3 => Err("refused".into()),
            _ => panic!("a server that panics"),
        }
    })
}

fn standing(occupancy: &[Occupancy]) -> (u32, usize, u64) {
    let [one] = occupancy else {
        panic!("{occupancy:?}")
    };
    (one.available, one.waiting, one.refused)
}

#[tokio::test(start_paused = true)]
async fn a_permit_lives_to_the_end_of_the_body() {
    let service = at_most(1).wait(HOUR).layer(server());
    let available = || standing(&service.handle().snapshots()).0;
    let response = in_time(service.clone().oneshot(Request::new(1)))
        .await
        .unwrap();
    let mut second = task::spawn(service.clone().oneshot(Request::new(0)));
    assert_pending!(second.poll(), "the first one's body streams");
    let mut body = response.into_body();
    assert_eq!(
        body.frame().await.unwrap().unwrap().into_data().unwrap(),
        "one"
    );
    assert!(!second.is_woken());
    assert_eq!(
        body.frame().await.unwrap().unwrap().into_data().unwrap(),
        "two"
    );
    assert!(second.is_woken(), "with the last frame");
    drop(in_time(second).await.unwrap());
    assert_eq!(available(), 1);

    let response = in_time(service.clone().oneshot(Request::new(1)))
        .await
        .unwrap();
    assert_eq!(available(), 0);
    drop(response);
    assert_eq!(available(), 1, "a body that is dropped");

    let response = in_time(service.clone().oneshot(Request::new(2)))
        .await
        .unwrap();
    assert!(response.into_body().collect().await.is_err());
    assert_eq!(available(), 1, "a body that fails");

    let _empty = in_time(service.clone().oneshot(Request::new(0)))
        .await
        .unwrap();
    assert_eq!(available(), 1, "a body that is at its end with the head");
    let mut failing = task::spawn(service.clone().call(Request::new(3)));
    assert_pending!(failing.poll());
    pause(SECOND).await;
    assert_ready_err!(failing.poll());
    assert_eq!(available(), 1, "an error");
}

#[tokio::test(start_paused = true)]
async fn so_many_are_under_way_and_no_more_and_the_others_go_in_order() {
    let probe = ContractProbe::new();
    let order = Arc::new(Mutex::new(Vec::new()));
    let came = Arc::clone(&order);
    let server = server().map_request(move |request: Request<u32>| {
        came.lock()
            .unwrap()
            .push(*request.extensions().get::<usize>().unwrap());
        request
    });
    let service = at_most(10).wait(HOUR).layer(probe.layer(server));
    let mut calls = JoinSet::new();
    for number in 0..100_usize {
        let mut request = Request::new(0);
        request.extensions_mut().insert(number);
        calls.spawn(service.clone().oneshot(request));
        tokio::task::yield_now().await;
        assert!(probe.counts().in_flight <= 10);
    }
    let start = Instant::now();
    while in_time(calls.join_next()).await.is_some() {
        assert!(probe.counts().in_flight <= 10);
    }
    assert_eq!(start.elapsed(), 10 * SECOND);
    assert_eq!(*order.lock().unwrap(), (0..100).collect::<Vec<_>>());
    probe.assert_clean();
}

#[tokio::test(start_paused = true)]
async fn who_may_not_wait_finds_no_place_or_waits_too_long_is_refused() {
    let refusing = at_most(1).refuse().layer(server());
    let _under_way = tokio::spawn(refusing.clone().oneshot(Request::new(0)));
    tokio::task::yield_now().await;
    let error = assert_ready_err!(task::spawn(refusing.clone().oneshot(Request::new(0))).poll());
    assert_eq!(find::<Saturated>(&*error).unwrap().limit(), 1);
    assert_eq!(find::<Rejected>(&*error).unwrap().retry_at(), None);
    let fault = Fault::of(&*error);
    assert_eq!((fault.outcome, fault.blame), (Outcome::Unsent, Blame::Us));

    let waiting = at_most(1).wait(SECOND / 2).queue(1).layer(server());
    let call = || tokio::spawn(waiting.clone().oneshot(Request::new(0)));
    let (first, second, third) = (call(), call(), call());
    let start = Instant::now();
    assert!(in_time(third).await.unwrap().is_err(), "no place");
    assert_eq!(start.elapsed(), Duration::ZERO);
    assert!(in_time(second).await.unwrap().is_err(), "too long");
    assert_eq!(start.elapsed(), SECOND / 2);
    assert!(in_time(first).await.unwrap().is_ok());
    assert_eq!(standing(&waiting.handle().snapshots()), (1, 0, 2));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_has_failed_keeps_nothing() {
    let (probe, kept) = (ContractProbe::new(), Arc::new(()));
    let service = at_most(1).wait(SECOND / 2).layer(probe.layer(server()));
    let call = || {
        let mut request = Request::new(0);
        request.extensions_mut().insert(Arc::clone(&kept));
        task::spawn(service.clone().call(request))
    };
    probe.pend(1);
    let mut unready = call();
    probe.fail_readiness("broken");
    assert_eq!(assert_ready_err!(unready.poll()).to_string(), "broken");
    assert_eq!(Arc::strong_count(&kept), 1);
    assert_eq!(probe.counts().calls, 0);
    assert_eq!(standing(&service.handle().snapshots()), (1, 0, 0));

    let _under_way = service.clone().call(Request::new(0));
    let mut late = call();
    assert_pending!(late.poll());
    pause(SECOND / 2).await;
    assert!(assert_ready_err!(late.poll()).is::<Saturated>());
    assert_eq!(Arc::strong_count(&kept), 1);
    probe.assert_clean();
}

#[test]
fn who_may_not_wait_is_refused_without_a_timer() {
    let mut service = at_most(1).refuse().layer(server());
    let _under_way = service.call(Request::new(0));
    let mut refused = task::spawn(service.call(Request::new(0)));
    assert!(assert_ready_err!(refused.poll()).is::<Saturated>());
}

#[tokio::test(start_paused = true)]
async fn a_service_that_failed_to_become_ready_makes_room_for_a_fresh_one() {
    let probe = ContractProbe::new();
    let mut service = at_most(1).refuse().layer(probe.layer(server()));
    for _ in 0..3 {
        probe.fail_readiness("broken");
        let error = in_time(service.call(Request::new(0))).await.unwrap_err();
        assert_eq!(error.to_string(), "broken");
    }
    assert!(in_time(service.call(Request::new(0))).await.is_ok());
    probe.assert_clean();
}

#[tokio::test(start_paused = true)]
async fn a_call_that_cannot_be_made_keeps_no_permit_until_it_is_polled() {
    let probe = ContractProbe::new();
    let mut service = at_most(1).refuse().layer(probe.layer(server()));
    probe.fail_readiness("broken");
    let failed = service.call(Request::new(0));
    assert!(in_time(service.call(Request::new(0))).await.is_ok());
    assert_eq!(in_time(failed).await.unwrap_err().to_string(), "broken");
    probe.assert_clean();
}

#[tokio::test(start_paused = true)]
async fn the_call_knows_whether_it_is_held_back_or_may_have_been_sent() {
    let probe = ContractProbe::new();
    let mut service = at_most(1).wait(HOUR).layer(probe.layer(server()));
    let mut scope = Scope::join();
    let under_way = scope.run(|| service.call(Request::new(0)));
    assert!(scope.call().unwrap().may_have_sent());

    let mut scope = Scope::join();
    let mut call = task::spawn(scope.run(|| service.call(Request::new(0))));
    let mut told = || {
        assert_pending!(scope.run(|| call.poll()));
        let call = scope.call().unwrap();
        (call.dispatch(), call.may_have_sent())
    };
    assert_eq!(told(), (Dispatch::Waiting, false), "no permit");
    drop(under_way);
    probe.pend(1);
    assert_eq!(told(), (Dispatch::Waiting, false), "a permit, and unready");
    assert_eq!(told(), (Dispatch::Unreported, true), "with the server");
    probe.assert_clean();
}

#[tokio::test(start_paused = true)]
async fn each_endpoint_has_its_own_permits_and_shared_ones_are_for_all() {
    let [own, shared] = [at_most(1), at_most(1).shared()].map(|layer| {
        let service = layer.refuse().layer(server());
        let call = |uri| tokio::spawn(service.clone().oneshot(to(uri)));
        [call("http://a.example/"), call("http://b.example/")]
    });
    for (calls, goes) in [(own, true), (shared, false)] {
        let [first, second] = calls;
        assert!(in_time(first).await.unwrap().is_ok());
        assert_eq!(in_time(second).await.unwrap().is_ok(), goes);
    }
    let by_path = at_most(1)
        .refuse()
        .key(|head| head.uri.path().to_owned())
        .layer(server());
    let first = tokio::spawn(by_path.clone().oneshot(to("http://a.example/x")));
    tokio::task::yield_now().await;
    assert!(
        by_path
            .clone()
            .oneshot(to("http://b.example/x"))
            .await
            .is_err()
    );
    assert!(
        by_path
            .clone()
            .oneshot(to("http://b.example/y"))
            .await
            .is_ok()
    );
    drop(first);
}

#[tokio::test(start_paused = true)]
async fn a_call_dropped_at_any_poll_gives_its_permit_or_its_place_back() {
    let probe = ContractProbe::new();
    let service = at_most(1).shared().layer(probe.layer(server()));
    let call = || {
        probe.pend(2);
        service.clone().oneshot(get())
    };
    let given_back = async || {
        probe.assert_idle();
        assert_eq!(standing(&service.handle().snapshots()), (1, 0, 0));
    };
    drop(in_time(drop_at_every_poll(call, given_back)).await);

    probe.assert_clean();
}

#[tokio::test(start_paused = true)]
async fn no_permit_is_lost_whatever_calls_do() {
    for seed in 0..30 {
        let mut dice = fastrand::Rng::with_seed(seed);
        let service = at_most(3).wait(3 * SECOND).queue(5).layer(server());
        let mut calls = JoinSet::new();
        for _ in 0..100 {
            let call = service.clone().oneshot(Request::new(dice.u32(0..5)));
            let patience = Duration::from_millis(dice.u64(0..4_000));
            let reads = dice.bool();
            calls.spawn(async move {
                let call = async {
                    let response = call.await?;
                    match reads {
                        true => response.into_body().collect().await.map(drop),
                        false => Ok(()),
                    }
                };
                timeout(patience, call).await
            });
            pause(Duration::from_millis(dice.u64(0..600))).await;
        }
        while in_time(calls.join_next()).await.is_some() {}
        let (available, waiting, _) = standing(&service.handle().snapshots());
        assert_eq!((available, waiting), (3, 0), "seed {seed}");
        let ready = service.clone().oneshot(Request::new(0));
        assert!(in_time(ready).await.is_ok());
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_call_gives_the_permit_back() {
    let panicking = service_fn(
        |_: Request<u32>| -> Ready<Result<Response<Body>, BoxError>> { panic!("in call") },
    );
    let mut service = at_most(1).refuse().layer(panicking);
    for _ in 0..3 {
        let call = AssertUnwindSafe(|| drop(service.call(get())));
        assert!(std::panic::catch_unwind(call).is_err());
        assert_eq!(standing(&service.handle().snapshots()), (1, 0, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_panicked_as_it_was_made_asks_for_nothing_more() {
    let probe = ContractProbe::new();
    let panicking = service_fn(
        |_: Request<u32>| -> Ready<Result<Response<Body>, BoxError>> { panic!("in call") },
    );
    let mut service = at_most(1).refuse().layer(probe.layer(panicking));
    probe.pend(1);
    let mut call = task::spawn(service.call(get()));
    let polled = AssertUnwindSafe(|| call.poll());
    assert!(std::panic::catch_unwind(polled).is_err());
    assert_pending!(call.poll(), "it is over");
    assert_eq!(probe.counts().reserved, 0);
    drop(call);
    assert_eq!(standing(&service.handle().snapshots()), (1, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn without_a_limit_or_switched_off_everything_passes() {
    for layer in [ConcurrencyLayer::unlimited(), at_most(1).enabled(false)] {
        let service = layer.refuse().layer(server());
        let mut calls = JoinSet::new();
        for _ in 0..100 {
            calls.spawn(service.clone().oneshot(Request::new(0)));
        }
        assert!(in_time(calls.join_all()).await.iter().all(Result::is_ok));
        assert_eq!(service.handle().snapshots(), []);
    }
}

#[tokio::test(start_paused = true)]
async fn the_next_in_line_does_not_lose_its_permit_by_being_late() {
    let service = at_most(1).wait(HOUR).layer(server());
    let mut first = task::spawn(service.clone().oneshot(Request::new(0)));
    let mut second = task::spawn(service.clone().oneshot(Request::new(0)));
    let mut third = task::spawn(service.clone().oneshot(Request::new(0)));
    assert_pending!(first.poll());
    assert_pending!(second.poll());
    assert_pending!(third.poll());
    pause(SECOND).await;
    assert_ready_ok!(first.poll());
    assert!(second.is_woken() && !third.is_woken());
    drop(second);
    assert!(third.is_woken(), "it was given and never fetched");
    in_time(third).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_handle_sees_the_services_of_its_layer() {
    let handle = ConcurrencyHandle::new();
    let service = at_most(2).handle(&handle).layer(server());
    let mut call = task::spawn(service.clone().oneshot(to("http://a.example/")));
    assert_pending!(call.poll());
    assert_eq!(standing(&handle.snapshots()), (1, 0, 0));
    let snapshot = handle.snapshot(&Uri::from_static("http://a.example"));
    assert_eq!(snapshot.map(|limit| limit.available), Some(1));
    drop((call, service));
    assert_eq!(handle.snapshots(), []);
}
