use std::convert::Infallible;
use std::future::ready;

use http::{HeaderValue, Method, Request, Uri};
use outrigger_core::Endpoint;
use outrigger_core::call::{self, Scope};
use outrigger_idempotency::{IDEMPOTENCY_KEY, IdempotencyKey, IdempotencyKeyLayer};
use tower::buffer::BufferLayer;
use tower::{BoxError, Layer, ServiceBuilder, ServiceExt, service_fn};

use crate::{layer, request};

/// Whether the layers below are told that the key is honoured: when called, and when polled later.
async fn told(layer: IdempotencyKeyLayer, request: Request<()>) -> (bool, bool) {
    let honoured = || call::current().is_some_and(|call| call.key_honoured());
    let below = service_fn(move |_: Request<()>| {
        let called = honoured();
        async move {
            tokio::task::yield_now().await;
            Ok::<_, Infallible>((called, honoured()))
        }
    });
    layer.layer(below).oneshot(request).await.unwrap()
}

#[tokio::test]
async fn a_key_alone_promises_nothing() {
    assert_eq!(told(layer(), request(Method::POST)).await, (false, false));
}

#[tokio::test]
async fn a_server_that_honours_keys_is_told_below_from_call_to_answer() {
    let honouring = layer().server_honours(true);
    let new = request(Method::POST);
    let mut header = request(Method::PATCH);
    header
        .headers_mut()
        .insert(IDEMPOTENCY_KEY, HeaderValue::from_static("own"));
    let mut extension = request(Method::DELETE);
    extension.extensions_mut().insert(IdempotencyKey::random());
    for request in [new, header, extension] {
        assert_eq!(told(honouring.clone(), request).await, (true, true));
    }
    assert_eq!(call::current(), None);
}

#[tokio::test]
async fn without_exactly_one_key_nothing_is_promised() {
    let honouring = layer().server_honours(true);
    let none = request(Method::GET);
    let mut empty = request(Method::POST);
    empty
        .headers_mut()
        .insert(IDEMPOTENCY_KEY, HeaderValue::from_static(""));
    let mut two = request(Method::POST);
    for value in ["one", "two"] {
        two.headers_mut()
            .append(IDEMPOTENCY_KEY, HeaderValue::from_static(value));
    }
    for request in [none, empty, two] {
        assert_eq!(told(honouring.clone(), request).await, (false, false));
    }
}

#[tokio::test]
async fn switched_off_it_promises_nothing() {
    let off = layer().server_honours(true).enabled(false);
    assert_eq!(told(off, request(Method::POST)).await, (false, false));
}

#[tokio::test]
async fn the_promise_can_be_kept_to_some_endpoints() {
    let endpoint = |uri: &'static str| Endpoint::of(&Uri::from_static(uri)).unwrap();
    let here = [
        endpoint("https://other.example"),
        endpoint("http://bank.example"),
    ];
    let elsewhere = [
        endpoint("https://bank.example"),
        endpoint("http://bank.example:81"),
    ];

    let kept = layer().server_honours_at(here.clone());
    assert_eq!(told(kept, request(Method::POST)).await, (true, true));
    let not = layer().server_honours_at(elsewhere);
    assert_eq!(told(not, request(Method::POST)).await, (false, false));

    let later_word = layer().server_honours_at(here).server_honours(false);
    assert_eq!(
        told(later_word, request(Method::POST)).await,
        (false, false)
    );
}

#[tokio::test]
async fn a_layer_further_out_keeps_the_word() {
    let mut outermost = Scope::join();
    let mut future = Box::pin(outermost.run(|| {
        let told = service_fn(|_: Request<()>| async { Ok::<_, Infallible>(()) });
        layer()
            .server_honours(true)
            .layer(told)
            .oneshot(request(Method::POST))
    }));
    let polled = outermost.run(|| {
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        future.as_mut().poll(&mut cx)
    });
    assert!(polled.is_ready());
    assert!(outermost.call().is_some_and(|call| call.key_honoured()));
}

#[tokio::test]
async fn behind_a_buffer_the_word_is_lost_and_the_key_is_not() {
    let below = service_fn(|request: Request<()>| {
        let honoured = call::current().is_some_and(|call| call.key_honoured());
        let keyed = request.headers().contains_key(IDEMPOTENCY_KEY);
        ready(Ok::<_, BoxError>((keyed, honoured)))
    });
    let stack = ServiceBuilder::new()
        .layer(layer().server_honours(true))
        .layer(BufferLayer::new(1))
        .service(below);
    let seen = stack.oneshot(request(Method::POST)).await.unwrap();
    assert_eq!(seen, (true, false));
}
