use std::future::Ready;
use std::panic::{AssertUnwindSafe, catch_unwind};

use http::{Method, Request};
use outrigger_core::call;
use outrigger_idempotency::IdempotencyKey;
use tower::limit::ConcurrencyLimitLayer;
use tower::{BoxError, Layer, Service, ServiceBuilder, ServiceExt, service_fn};
use tower_test::mock;

use crate::{echo, layer, request};

#[tokio::test]
async fn readiness_is_the_inner_services() {
    let (mut service, mut handle) =
        mock::spawn_layer::<Request<()>, (), _>(layer().server_honours(true));
    handle.allow(0);
    assert!(service.poll_ready().is_pending());
    handle.allow(1);
    assert!(service.poll_ready().is_ready());
    drop(service.call(request(Method::POST)));
}

#[tokio::test]
async fn errors_of_the_inner_service_pass_through() {
    let (mut service, mut handle) = mock::spawn_layer::<Request<()>, (), _>(layer());
    handle.send_error("out of service");
    let error = match service.poll_ready() {
        std::task::Poll::Ready(Err(error)) => error,
        other => panic!("{other:?}"),
    };
    assert_eq!(error.to_string(), "out of service");
}

#[tokio::test]
async fn it_stands_over_and_under_services_that_must_be_ready() {
    let stack = ServiceBuilder::new()
        .layer(ConcurrencyLimitLayer::new(1))
        .layer(layer().server_honours(true))
        .layer(ConcurrencyLimitLayer::new(1))
        .service_fn(echo);
    for _ in 0..3 {
        let answer = stack.clone().oneshot(request(Method::POST)).await;
        assert_eq!(answer.unwrap().into_body().len(), 1);
    }
}

#[test]
fn a_panic_below_leaves_no_call_behind() {
    let user_code = |_: Request<()>| -> Ready<Result<(), BoxError>> { panic!("user code") };
    let mut service = layer().server_honours(true).layer(service_fn(user_code));
    let panicked = catch_unwind(AssertUnwindSafe(|| service.call(request(Method::POST))));
    assert!(panicked.is_err());
    assert_eq!(call::current(), None);
}

#[test]
fn layer_service_and_future_show_no_key() {
    fn is_clone_send_sync<T: Clone + Send + Sync>(_: &T) {}
    let mut service = layer().layer(service_fn(echo));
    is_clone_send_sync(&service);
    let mut post = request(Method::POST);
    let secret = IdempotencyKey::parse("canary").unwrap();
    post.extensions_mut().insert(secret);
    let shown = format!("{service:?} {:?} {post:?}", layer());
    assert!(!shown.contains("canary"));
    drop(service.call(post));
}
