//! Dropped futures and panics.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::task::{Context, Wake, Waker};
use std::thread;

use http::HeaderMap;
use http_body_util::Full;
use outrigger_breaker::{BreakerHandle, Verdict};
use outrigger_core::End;
use tokio_test::{assert_pending, task};

use super::*;

#[tokio::test(start_paused = true)]
async fn fifty_cancelled_calls_open_nothing() {
    let silent = service_fn(|_: Request<()>| std::future::pending::<Answer>());
    let handle = BreakerHandle::new();
    let service = BreakerLayer::default().handle(&handle).layer(silent);
    for _ in 0..50 {
        let mut call = task::spawn(service.clone().oneshot(get()));
        assert_pending!(call.poll());
        pause(SECOND).await;
    }
    let seen = &handle.snapshots()[0];
    assert_eq!((seen.state(), seen.calls()), (State::Closed, 0));
}

fn polled_once<F: Future>(future: F) -> bool {
    let mut future = Box::pin(future);
    let mut cx = Context::from_waker(Waker::noop());
    catch_unwind(AssertUnwindSafe(|| {
        future.as_mut().poll(&mut cx).is_ready()
    }))
    .is_err()
}

#[tokio::test(start_paused = true)]
async fn a_panic_below_is_a_failure_and_passes_on() {
    let server = service_fn(|request: Request<()>| {
        let path = request.uri().path().to_owned();
        assert_ne!(path, "/called", "user code");
        async move {
            assert_ne!(path, "/polled", "user code");
            answer(200)
        }
    });
    for path in ["http://a.example/called", "http://a.example/polled"] {
        let service = three().layer(server);
        for _ in 0..3 {
            let mut clone = service.clone();
            let called = catch_unwind(AssertUnwindSafe(|| clone.call(to(path))));
            assert!(called.is_err() || polled_once(called.unwrap()));
        }
        assert_eq!(call(&service, get()).await, REFUSED, "{path}");
        pause(6 * SECOND).await;
        for _ in 0..3 {
            assert_eq!(call(&service, get()).await, Came::To(200));
        }
        pause(6 * SECOND).await;
        for _ in 0..1_000 {
            assert_eq!(call(&service, get()).await, Came::To(200));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_of_the_classifier_gives_the_probe_back_and_counts_neither_way() {
    let peer = Peer::ill();
    let handle = BreakerHandle::new();
    let service = three().classify(Touchy).handle(&handle).layer(peer.serve());
    fail(&service, 3).await;
    pause(6 * SECOND).await;
    peer.turns(|| answer(418));
    for _ in 0..1_000 {
        assert!(polled_once(service.clone().oneshot(get())));
    }
    assert_eq!(handle.snapshots()[0].state(), State::HalfOpen);
    peer.turns(|| answer(200));
    for _ in 0..3 {
        assert_eq!(call(&service, get()).await, Came::To(200));
    }
    assert_eq!(handle.snapshots()[0].state(), State::Ramping);
}

/// Panics when it is dropped.
struct Clinging;

impl Drop for Clinging {
    fn drop(&mut self) {
        assert!(thread::panicking(), "user code");
    }
}

#[tokio::test(start_paused = true)]
async fn a_probe_whose_future_panics_as_it_is_dropped_is_given_back() {
    let server = service_fn(async |request: Request<()>| {
        if request.uri().path() == "/clinging" {
            let _clinging = Clinging;
            return std::future::pending().await;
        }
        answer(if request.uri().path() == "/ill" {
            503
        } else {
            200
        })
    });
    let handle = BreakerHandle::new();
    let service = three().handle(&handle).layer(server);
    for _ in 0..3 {
        call(&service, to("http://a.example/ill")).await;
    }
    pause(6 * SECOND).await;
    for _ in 0..1_000 {
        let mut probe = task::spawn(service.clone().call(to("http://a.example/clinging")));
        assert_pending!(probe.poll());
        assert!(catch_unwind(AssertUnwindSafe(|| drop(probe))).is_err());
    }
    assert_eq!(handle.snapshots()[0].state(), State::HalfOpen);
    for _ in 0..3 {
        assert_eq!(call(&service, get()).await, Came::To(200));
    }
    assert_eq!(handle.snapshots()[0].state(), State::Ramping);
}

/// Judges a good answer by the end of its body, and panics at that.
#[derive(Clone, Debug)]
struct Bursting;

impl Classify for Bursting {
    fn head(&self, status: StatusCode, _: &HeaderMap) -> Option<Verdict> {
        (status != StatusCode::OK).then_some(Verdict::Failure)
    }

    fn end(&self, _: End<'_>) -> Verdict {
        assert!(thread::panicking(), "user code");
        Verdict::Neutral
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_of_the_classifier_at_the_end_of_a_body_gives_the_probe_back() {
    let server = service_fn(async |request: Request<()>| {
        let body = Full::<Bytes>::from("body");
        let status = if request.uri().path() == "/ill" {
            503
        } else {
            200
        };
        Ok::<_, BoxError>(Response::builder().status(status).body(body)?)
    });
    let handle = BreakerHandle::new();
    let service = three().classify(Bursting).handle(&handle).layer(server);
    for _ in 0..3 {
        let response = service
            .clone()
            .oneshot(to("http://a.example/ill"))
            .await
            .unwrap();
        assert_eq!(response.status(), 503);
    }
    pause(6 * SECOND).await;
    for _ in 0..1_000 {
        let response = service.clone().oneshot(get()).await.unwrap();
        assert!(catch_unwind(AssertUnwindSafe(|| drop(response))).is_err());
    }
    assert_eq!(handle.snapshots()[0].state(), State::HalfOpen);
}

/// Panics when it wakes.
struct Grumpy;

impl Wake for Grumpy {
    fn wake(self: Arc<Self>) {
        resume_unwind(Box::new("user code"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_of_who_is_told_of_a_probe_gives_the_probe_back() {
    let (peer, handle) = (Peer::ill(), BreakerHandle::new());
    let service = three().probes(1).handle(&handle).layer(peer.serve());
    fail(&service, 3).await;
    pause(6 * SECOND).await;
    let mut changes = handle.subscribe();
    let mut change = Box::pin(changes.changed());
    let grumpy = Waker::from(Arc::new(Grumpy));
    let mut cx = Context::from_waker(&grumpy);
    assert!(change.as_mut().poll(&mut cx).is_pending());
    assert!(polled_once(service.clone().oneshot(get())));
    assert_eq!(handle.snapshots()[0].state(), State::HalfOpen);
    peer.turns(|| answer(200));
    assert_eq!(call(&service, get()).await, Came::To(200));
}

#[tokio::test(start_paused = true)]
async fn a_panic_of_the_key_holds_nothing() {
    let peer = Peer::well();
    let touchy = |request: &Request<()>| {
        assert_ne!(request.uri().path(), "/panic", "user code");
        "key"
    };
    let service = three().key(touchy).layer(peer.serve());
    for _ in 0..1_000 {
        assert!(polled_once(service.clone().oneshot(to("http://a/panic"))));
    }
    assert_eq!(call(&service, get()).await, Came::To(200));
}

#[tokio::test(start_paused = true)]
async fn debug_shows_how_far_a_call_has_got_and_no_request() {
    let service = three().layer(Peer::well().serve());
    let mut secret = to("http://a.example/canary");
    secret
        .headers_mut()
        .insert("authorization", "canary".parse().unwrap());
    let call = service.clone().call(secret);
    let keyed = three().key(|_: &Request<()>| "key");
    let shown = format!("{call:?} {keyed:?} {:?}", three().layer("inner"));
    assert!(
        shown.contains("Called") && !shown.contains("canary"),
        "{shown}"
    );
}
