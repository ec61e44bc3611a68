use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::{Context, Waker};

use http::{Request, Response};
use outrigger_core::call::{self, Call, Scope};
use outrigger_core::inbound::{self, Inbound};
use outrigger_request_id::{InboundLayer, RequestIdLayer, in_current_scope};
use tower::util::BoxCloneSyncService;
use tower::{BoxError, Layer, Service, ServiceExt, service_fn};

use crate::{Seen, id, is_new, seen, with_header};

type Client = BoxCloneSyncService<Request<()>, Response<Seen>, BoxError>;

fn client() -> Client {
    BoxCloneSyncService::new(RequestIdLayer::new().layer(service_fn(seen)))
}

/// Makes an outbound call that knows of no id.
async fn call_out() -> Seen {
    let answer = client().oneshot(Request::new(())).await;
    answer.unwrap().into_body()
}

/// Handles a request with the id `order-17`.
async fn handle<R: 'static>(handler: impl AsyncFn() -> R) -> R {
    let server = InboundLayer::new().layer(service_fn(async |_: Request<()>| {
        Ok::<_, BoxError>(Response::new(handler().await))
    }));
    let answer = server.oneshot(with_header(["order-17"])).await;
    answer.unwrap().into_body()
}

#[tokio::test]
async fn it_reaches_what_the_handler_polls_itself() {
    let seen = handle(async || {
        tokio::task::yield_now().await;
        let (a, b) = tokio::join!(call_out(), async {
            tokio::task::yield_now().await;
            call_out().await
        });
        let c = tokio::select! {
            seen = call_out() => seen,
            () = std::future::pending() => Seen::new(),
        };
        [a, b, c]
    });
    for seen in seen.await {
        assert_eq!(seen, ["order-17"]);
    }
    assert!(inbound::request_id().is_none());
}

#[tokio::test]
async fn it_reaches_a_spawned_task_when_it_is_carried_there() {
    let (lost, carried) = handle(async || {
        let lost = tokio::spawn(call_out());
        let carried = tokio::spawn(in_current_scope(call_out()));
        (lost.await.unwrap(), carried.await.unwrap())
    })
    .await;
    assert!(is_new(&lost));
    assert_eq!(carried, ["order-17"]);
}

#[tokio::test]
async fn it_is_captured_when_asked_for_and_not_when_polled() {
    let carried = handle(async || in_current_scope(call_out())).await;
    assert_eq!(carried.await, ["order-17"]);

    let outside = in_current_scope(call_out());
    let inbound = Inbound {
        request_id: Some(id("order-17")),
        deadline: None,
    };
    assert!(is_new(&inbound::within(inbound, outside).await));
}

#[tokio::test]
async fn two_handlers_at_once_do_not_mix() {
    let server = InboundLayer::new().layer(service_fn(async |_: Request<()>| {
        tokio::task::yield_now().await;
        Ok::<_, BoxError>(Response::new(call_out().await))
    }));
    let (a, b, outside) = tokio::join!(
        server.clone().oneshot(with_header(["a"])),
        server.oneshot(with_header(["b"])),
        async {
            tokio::task::yield_now().await;
            call_out().await
        },
    );
    assert_eq!(a.unwrap().into_body(), ["a"]);
    assert_eq!(b.unwrap().into_body(), ["b"]);
    assert!(is_new(&outside));
}

#[tokio::test]
async fn a_handler_that_works_in_call_already_is_within() {
    let mut server = InboundLayer::new().layer(service_fn(|_: Request<()>| {
        let id = inbound::request_id();
        async move { Ok::<_, BoxError>(Response::new(id)) }
    }));
    let answer = server
        .ready()
        .await
        .unwrap()
        .call(with_header(["order-17"]));
    assert!(inbound::request_id().is_none());
    assert_eq!(
        answer.await.unwrap().into_body().unwrap().as_str(),
        "order-17"
    );
}

#[test]
fn a_panic_in_the_handler_leaves_no_scope_behind() {
    let panic_in_call = |_: Request<()>| -> std::future::Ready<Result<Response<()>, BoxError>> {
        panic!("handler")
    };
    let mut server = InboundLayer::new().layer(service_fn(panic_in_call));
    let call = AssertUnwindSafe(|| server.call(with_header(["order-17"])));
    assert!(catch_unwind(call).is_err());
    assert!(inbound::request_id().is_none());

    let panic_in_poll =
        async |_: Request<()>| -> Result<Response<()>, BoxError> { panic!("handler") };
    let mut server = InboundLayer::new().layer(service_fn(panic_in_poll));
    let mut handler = pin!(server.call(with_header(["order-17"])));
    let mut cx = Context::from_waker(Waker::noop());
    let poll = AssertUnwindSafe(|| handler.as_mut().poll(&mut cx));
    assert!(catch_unwind(poll).is_err());
    assert!(inbound::request_id().is_none());
}

#[test]
fn a_dropped_handler_leaves_no_scope_behind() {
    let mut server = InboundLayer::new().layer(service_fn(async |_: Request<()>| {
        std::future::pending::<Result<Response<()>, BoxError>>().await
    }));
    let mut handler = Box::pin(server.call(with_header(["order-17"])));
    let mut cx = Context::from_waker(Waker::noop());
    assert!(handler.as_mut().poll(&mut cx).is_pending());
    drop(handler);
    assert!(inbound::request_id().is_none());
}

#[test]
fn the_handlers_calls_are_calls_of_their_own() {
    let mut server = InboundLayer::new().layer(service_fn(|_: Request<()>| {
        let in_call = call::current();
        async move { Ok::<_, BoxError>(Response::new((in_call, call::current()))) }
    }));
    // A server that is called in this very task, within an attempt of somebody's client.
    let answer = Scope::join().run(|| {
        call::update(Call::begin_attempt);
        let mut handler = pin!(server.call(Request::new(())));
        handler
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()))
    });
    let std::task::Poll::Ready(Ok(answer)) = answer else {
        panic!("the handler is at its end")
    };
    assert_eq!(answer.into_body(), (None, None));
}
