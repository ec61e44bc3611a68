//! The tower contract: whoever was ready makes the call, and nothing is held in vain.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::{Context, Poll};

use outrigger_core::call::{Dispatch, Scope};
use outrigger_testkit::drop_at_every_poll;
use outrigger_testkit::probe::ContractProbe;
use tokio_test::{assert_pending, assert_ready, task};
use tower::ServiceBuilder;
use tower::limit::{ConcurrencyLimitLayer, GlobalConcurrencyLimitLayer};

use super::*;

#[tokio::test(start_paused = true)]
async fn three_calls_that_wait_keep_the_contract() {
    for pending in 0..3 {
        let (log, probe) = (Log::new(), ContractProbe::new());
        let mut service = patient(1, 1).layer(probe.layer(log.server()));
        for _ in 0..3 {
            probe.pend(pending);
            in_time(service.call(get())).await.unwrap();
        }
        assert_eq!(log.times(), [0, 1_000, 2_000]);
        probe.assert_clean();
        probe.assert_idle();
        assert_eq!(probe.counts().completed, 3);
    }
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_a_token_holds_nothing_of_the_service_below() {
    let probe = ContractProbe::new();
    let room_for_one = probe.layer(GlobalConcurrencyLimitLayer::new(1).layer(Log::new().server()));
    let service = patient(1, 1).layer(room_for_one);
    in_time(service.clone().oneshot(get())).await.unwrap();
    let mut waiting = task::spawn(service.clone().oneshot(get()));
    assert_pending!(waiting.poll());
    assert_eq!(probe.counts().reserved, 0);
    let elsewhere = in_time(service.clone().oneshot(to("http://b.example/"))).await;
    assert!(elsewhere.is_ok(), "the one permit is free");
    in_time(waiting).await.unwrap();
    probe.assert_clean();
}

#[tokio::test(start_paused = true)]
async fn a_token_is_not_taken_before_the_service_below_is_ready() {
    let (log, probe) = (Log::new(), ContractProbe::new());
    let service = patient(1, 1).layer(probe.layer(log.server()));
    probe.hold();
    let mut unready = task::spawn(service.clone().oneshot(get()));
    assert_pending!(unready.poll());
    let standing = service.handle().snapshots()[0];
    assert_eq!((standing.available, standing.waiting), (1, 0));
    pause(HOUR).await;
    assert_pending!(unready.poll());
    probe.release();
    assert!(unready.is_woken());
    in_time(unready).await.unwrap();
    assert_eq!(service.handle().snapshots()[0].available, 0);
    probe.assert_clean();
}

#[tokio::test(start_paused = true)]
async fn whoever_is_not_ready_when_it_is_its_turn_lets_the_next_one_go() {
    let (log, probe) = (Log::new(), ContractProbe::new());
    let service = patient(1, 1).layer(probe.layer(log.server()));
    in_time(service.clone().oneshot(Request::new(0)))
        .await
        .unwrap();
    let mut calls: Vec<_> = (1..=3)
        .map(|number| task::spawn(Box::pin(service.clone().oneshot(Request::new(number)))))
        .collect();
    for call in &mut calls {
        assert_pending!(call.poll());
    }
    probe.hold();
    pause(SECOND).await;
    assert_pending!(calls[0].poll(), "its turn, and not ready");
    assert_eq!(service.handle().snapshots()[0].waiting, 2);
    probe.release();
    assert!(calls[1].is_woken(), "told that it is next");
    assert!(assert_ready!(calls[1].poll()).is_ok());
    assert_pending!(calls[0].poll(), "it lines up again");
    for call in [calls.remove(2), calls.remove(0)] {
        in_time(call).await.unwrap();
    }
    assert_eq!(log.numbers(), [0, 2, 3, 1]);
    assert_eq!(log.times(), [0, 1_000, 2_000, 3_000]);
    probe.assert_clean();
    probe.assert_idle();
}

#[tokio::test(start_paused = true)]
async fn a_call_dropped_at_any_poll_takes_no_token_unless_it_was_made() {
    let (log, probe) = (Log::new(), ContractProbe::new());
    let service = patient(1, 2).shared().layer(probe.layer(log.server()));
    let available = || service.handle().snapshots()[0].available;
    in_time(drop_at_every_poll(
        || {
            probe.pend(3);
            service.clone().oneshot(get())
        },
        async || {
            let made = probe.counts().calls as u32;
            assert!(probe.counts().reserved == 0 && available() == 2 - made);
        },
    ))
    .await
    .unwrap();
    let waiting = service.clone();
    in_time(waiting.clone().oneshot(get())).await.unwrap();
    in_time(drop_at_every_poll(
        || {
            probe.pend(3);
            waiting.clone().oneshot(get())
        },
        async || {
            let standing = waiting.handle().snapshots()[0];
            assert_eq!(standing.waiting, 0, "its place is given up");
            probe.assert_idle();
        },
    ))
    .await
    .unwrap();
    assert_eq!(log.times(), [0, 0, 1_000]);
    probe.assert_clean();
}

#[tokio::test(start_paused = true)]
async fn a_failure_to_become_ready_takes_no_token() {
    let probe = ContractProbe::new();
    let service = patient(1, 1).layer(probe.layer(Log::new().server()));
    let mut service_of_one = service.clone();
    for _ in 0..3 {
        probe.fail_readiness("broken");
        let error = service_of_one.call(get()).await.unwrap_err();
        assert_eq!(error.to_string(), "broken");
    }
    assert!(service_of_one.call(get()).await.is_ok());
    probe.assert_clean();
}

#[tokio::test(start_paused = true)]
async fn a_failure_to_become_ready_after_a_wait_ends_the_call_and_takes_no_token() {
    let probe = ContractProbe::new();
    let mut service = patient(1, 1).layer(probe.layer(Log::new().server()));
    probe.pend(1);
    let mut call = task::spawn(service.call(get()));
    probe.fail_readiness("broken");
    let error = assert_ready!(call.poll()).unwrap_err();
    assert_eq!(error.to_string(), "broken");
    assert_eq!(probe.counts().calls, 0);
    assert_eq!(service.handle().snapshots()[0].available, 1);
    probe.assert_clean();
}

#[tokio::test(start_paused = true)]
async fn the_call_knows_whether_it_is_held_back_or_may_have_been_sent() {
    let free = |head: &http::request::Parts| u32::from(head.uri.path() != "/free");
    for layer in [patient(1, 2), patient(1, 2).cost(free)] {
        let mut service = layer.layer(Log::new().server());
        for call in ["the first of an endpoint", "another one"] {
            let mut scope = Scope::join();
            let _called = scope.run(|| service.call(get()));
            assert!(scope.call().unwrap().may_have_sent(), "{call}");
        }

        let mut scope = Scope::join();
        let mut call = task::spawn(scope.run(|| service.call(get())));
        assert_pending!(scope.run(|| call.poll()));
        let held = scope.call().unwrap();
        let held = (held.dispatch(), held.may_have_sent());
        assert_eq!(held, (Dispatch::Waiting, false));
        pause(SECOND).await;
        assert!(assert_ready!(scope.run(|| call.poll())).is_ok());
        let sent = scope.call().unwrap();
        let sent = (sent.dispatch(), sent.may_have_sent());
        assert_eq!(sent, (Dispatch::Unreported, true));
    }
}

#[tokio::test(start_paused = true)]
async fn calls_go_through_limits_and_buffers_below_and_above() {
    let log = Log::new();
    let service = ServiceBuilder::new()
        .buffer(1)
        .layer(ConcurrencyLimitLayer::new(1))
        .layer(patient(1, 1))
        .layer(ConcurrencyLimitLayer::new(1))
        .buffer(1)
        .service(log.server());
    for _ in 0..3 {
        assert!(in_time(service.clone().oneshot(get())).await.is_ok());
    }
    assert_eq!(log.times(), [0, 1_000, 2_000]);
}

#[tokio::test(start_paused = true)]
async fn switched_off_it_passes_readiness_through() {
    let probe = ContractProbe::new();
    let off = patient(1, 1).enabled(false);
    let mut off = off.layer(probe.layer(Log::new().server()));
    let mut readiness = task::spawn(());
    probe.hold();
    assert!(readiness.enter(|cx, _| off.poll_ready(cx)).is_pending());
    probe.release();
    assert!(readiness.is_woken());
    in_time(off.oneshot(get())).await.unwrap();
    probe.assert_clean();
}

#[tokio::test(start_paused = true)]
async fn who_is_ready_and_finds_no_token_gives_the_readiness_back() {
    let (log, probe) = (Log::new(), ContractProbe::new());
    let service = patient(1, 1).layer(probe.layer(log.server()));
    probe.hold();
    let mut first = task::spawn(Box::pin(service.clone().oneshot(Request::new(1))));
    assert_pending!(
        first.poll(),
        "there is a token, and the service is not ready"
    );
    probe.release();
    in_time(service.clone().oneshot(Request::new(2)))
        .await
        .unwrap();
    assert_pending!(first.poll());
    assert_eq!(probe.counts().reserved, 0);
    in_time(first).await.unwrap();
    assert_eq!(log.numbers(), [2, 1]);
    probe.assert_clean();
}

/// While it becomes ready, something else happens.
#[derive(Clone)]
struct Meanwhile<S>(S, Arc<Mutex<Happens>>);

type Happens = Option<Box<dyn FnOnce() + Send>>;

impl<S: Service<Request<u32>>> Service<Request<u32>> for Meanwhile<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        let happens = self.1.lock().unwrap().take();
        if let Some(happens) = happens {
            happens();
        }
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request<u32>) -> S::Future {
        self.0.call(request)
    }
}

#[tokio::test(start_paused = true)]
async fn who_is_refused_once_the_service_is_ready_holds_nothing() {
    let (log, probe) = (Log::new(), ContractProbe::new());
    let mut service = patient(1, 1)
        .wait(Duration::ZERO)
        .layer(probe.layer(log.server()));
    probe.hold();
    let mut call = task::spawn(service.call(Request::new(1)));
    assert_pending!(call.poll(), "not ready");
    probe.release();
    in_time(service.call(Request::new(2))).await.unwrap();
    assert!(assert_ready!(call.poll()).is_err(), "the token is gone");
    assert_eq!(probe.counts().reserved, 0);
    assert_eq!(log.numbers(), [2]);
    drop(call);
    probe.assert_idle();
}

#[tokio::test(start_paused = true)]
async fn who_loses_its_token_while_the_service_becomes_ready_waits_and_holds_nothing() {
    let (log, probe) = (Log::new(), ContractProbe::new());
    let meanwhile = Arc::default();
    let server = probe.layer(Meanwhile(log.server(), Arc::clone(&meanwhile)));
    let mut service = patient(1, 1).layer(server);
    let mut quicker = service.clone();
    *meanwhile.lock().unwrap() = Some(Box::new(move || drop(quicker.call(Request::new(1)))));
    let call = service.call(Request::new(2));
    assert_eq!(probe.counts().reserved, 0);
    in_time(call).await.unwrap();
    assert_eq!(log.numbers(), [1, 2]);
    assert_eq!(log.times(), [0, 1_000]);
    probe.assert_clean();
}

#[tokio::test(start_paused = true)]
async fn the_time_in_line_counts_though_the_place_is_lost() {
    let (log, probe) = (Log::new(), ContractProbe::new());
    let service = patient(1, 1)
        .wait(2 * SECOND)
        .layer(probe.layer(log.server()));
    let call = |number| Box::pin(service.clone().oneshot(Request::new(number)));
    call(0).await.unwrap();
    let [mut first, mut second] = [1, 2].map(|number| task::spawn(call(number)));
    assert_pending!(first.poll());
    assert_pending!(second.poll());
    probe.hold();
    pause(SECOND).await;
    assert_pending!(first.poll(), "its turn, after a second, and not ready");
    probe.release();
    assert!(assert_ready!(second.poll()).is_ok());
    let mut third = task::spawn(call(3));
    assert_pending!(third.poll());
    let error = assert_ready!(first.poll()).unwrap_err();
    let retry_at = limited(&error).retry_at();
    assert_eq!(
        retry_at,
        Instant::now() + 2 * SECOND,
        "it has one second left"
    );
    in_time(third).await.unwrap();
    probe.assert_clean();
}

#[tokio::test(start_paused = true)]
async fn a_call_that_panicked_as_it_was_made_takes_no_more_tokens() {
    let (log, probe) = (Log::new(), ContractProbe::new());
    let panicking = log.server().map_request(|request: Request<u32>| {
        assert_eq!(*request.body(), 0, "in call");
        request
    });
    let mut service = patient(1, 2).layer(probe.layer(panicking));
    probe.pend(1);
    let mut call = task::spawn(service.call(Request::new(1)));
    let polled = catch_unwind(AssertUnwindSafe(|| call.poll()));
    assert!(polled.is_err());
    assert_pending!(call.poll(), "it is over");
    assert_pending!(call.poll());
    assert_eq!(service.handle().snapshots()[0].available, 1);
    assert_eq!(probe.counts().reserved, 0);
}
