//! Dropped futures and panics.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::{Context, Waker};

use outrigger_core::call::{Dispatch, Scope};
use outrigger_testkit::probe::ContractProbe;
use tokio_test::{assert_pending, assert_ready, task};
use tower::Layer;

use super::*;

#[tokio::test(start_paused = true)]
async fn a_call_dropped_while_it_pauses_leaves_nothing_behind() {
    let (script, probe) = (Script::failures(1), ContractProbe::new());
    let answers = script.clone();
    let server = probe.answer(move |_: Request<()>| ready(answers.next()));
    let service = layer().layer(server);
    took(&service, get()).await;
    let mut call = task::spawn(service.clone().oneshot(get()));
    assert_pending!(call.poll());
    drop(call);
    probe.assert_idle();
    assert_eq!(probe.counts().calls, 1);
    assert_eq!(took(&service, get()).await, SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_call_dropped_under_way_counts_neither_way() {
    let script = Script::failures(1);
    let answers = script.clone();
    let server = service_fn(move |request: Request<bool>| {
        let answer = answers.next();
        async move {
            if request.into_body() {
                std::future::pending::<()>().await;
            }
            answer
        }
    });
    let service = layer().layer(server);
    let call = |hangs: bool| service.clone().oneshot(get().map(|()| hangs));
    call(false).await.unwrap();
    pause(SECOND).await;
    let mut dropped = task::spawn(call(true));
    assert_pending!(dropped.poll());
    drop(dropped);
    script.then([Ok(unavailable())]);
    call(false).await.unwrap();
    let start = Instant::now();
    call(false).await.unwrap();
    assert_eq!(start.elapsed(), 2 * SECOND, "the second failure in turn");
}

#[tokio::test(start_paused = true)]
async fn a_panic_below_counts_neither_way_and_nobody_else_notices() {
    let script = Script::failures(1);
    let answers = script.clone();
    let server = service_fn(move |request: Request<&'static str>| {
        let word = request.into_body();
        assert_ne!(word, "panic when called", "user code");
        let answer = answers.next();
        async move {
            assert_ne!(word, "panic when polled", "user code");
            answer
        }
    });
    let service = layer().layer(server);
    let call = |word: &'static str| service.clone().call(get().map(|()| word));
    call("fail").await.unwrap();
    pause(SECOND).await;
    for _ in 0..1_000 {
        let called = catch_unwind(AssertUnwindSafe(|| drop(call("panic when called"))));
        assert!(called.is_err());
        let mut polled = Box::pin(call("panic when polled"));
        let polled = catch_unwind(AssertUnwindSafe(|| {
            polled
                .as_mut()
                .poll(&mut Context::from_waker(Waker::noop()))
                .is_ready()
        }));
        assert!(polled.is_err());
    }
    script.then([Ok(unavailable())]);
    call("fail").await.unwrap();
    let start = Instant::now();
    call("succeed").await.unwrap();
    assert_eq!(start.elapsed(), 2 * SECOND, "the second failure in turn");
}

#[tokio::test(start_paused = true)]
async fn while_it_pauses_the_call_knows_that_nothing_was_sent() {
    let service = layer().layer(Script::failures(1).server());
    took(&service, get()).await;
    let mut scope = Scope::join();
    let mut call = task::spawn(scope.run(|| service.clone().call(get())));
    assert_pending!(scope.run(|| call.poll()));
    let held = scope.call().unwrap();
    assert_eq!(
        (held.dispatch(), held.may_have_sent()),
        (Dispatch::Waiting, false)
    );

    pause(SECOND).await;
    let _ = assert_ready!(scope.run(|| call.poll()));
    let sent = scope.call().unwrap();
    assert_eq!(
        (sent.dispatch(), sent.may_have_sent()),
        (Dispatch::Unreported, true)
    );
}

#[tokio::test(start_paused = true)]
async fn debug_shows_how_far_a_call_has_got_and_no_request() {
    let service = layer().layer(Script::failures(1).server());
    took(&service, get()).await;
    let mut secret = to("http://a.example/canary");
    secret
        .headers_mut()
        .insert("authorization", "canary".parse().unwrap());
    let call = service.clone().call(secret);
    let shown = format!("{call:?} {:?} {:?}", layer(), layer().layer("inner"));
    assert!(
        shown.contains("Pausing") && !shown.contains("canary"),
        "{shown}"
    );
}
