use std::task::Poll;

use http::{Request, Response};
use outrigger_request_id::{InboundLayer, RequestIdLayer};
use outrigger_testkit::probe::ContractProbe;
use tower::buffer::Buffer;
use tower::limit::ConcurrencyLimit;
use tower::util::BoxCloneSyncService;
use tower::{BoxError, Layer, Service, ServiceExt, service_fn};
use tower_test::mock;

type Inner = BoxCloneSyncService<Request<()>, Response<()>, BoxError>;

async fn answer(_: Request<()>) -> Result<Response<()>, BoxError> {
    tokio::task::yield_now().await;
    Ok(Response::new(()))
}

/// The layers over services that are ready, have room for one call, and sit behind a buffer.
fn candidates(probe: &ContractProbe) -> Vec<Inner> {
    let grounds = || {
        [
            Inner::new(probe.layer(service_fn(answer))),
            Inner::new(probe.layer(ConcurrencyLimit::new(service_fn(answer), 1))),
            Inner::new(probe.layer(Buffer::new(service_fn(answer), 1))),
        ]
    };
    let outbound = RequestIdLayer::new().response_extension(true);
    let inbound = InboundLayer::new().echo(true);
    let alone = grounds().map(|inner| Inner::new(outbound.layer(inner)));
    let server = grounds().map(|inner| Inner::new(inbound.layer(inner)));
    let both = grounds().map(|inner| Inner::new(inbound.layer(outbound.layer(inner))));
    [alone, server, both].into_iter().flatten().collect()
}

#[tokio::test]
async fn the_instance_that_was_ready_makes_each_call() {
    let probe = ContractProbe::new();
    for mut service in candidates(&probe) {
        for _ in 0..3 {
            let answer = service.ready().await.unwrap().call(Request::new(())).await;
            assert!(answer.is_ok());
        }
        drop(service.ready().await.unwrap().call(Request::new(())));
        assert!(service.ready().await.is_ok());
    }
    probe.assert_clean();
    probe.assert_idle();
}

#[tokio::test]
async fn readiness_is_the_inner_services() {
    let (mut service, mut handle) =
        mock::spawn_layer::<Request<()>, Response<()>, _>(RequestIdLayer::new());
    handle.allow(0);
    assert!(service.poll_ready().is_pending());
    handle.allow(1);
    assert!(service.poll_ready().is_ready());
    let answer = service.call(Request::new(()));
    let (request, reply) = handle.next_request().await.unwrap();
    assert_eq!(request.headers().len(), 1);
    reply.send_response(Response::new(()));
    assert!(answer.await.is_ok());
}

#[tokio::test]
async fn errors_of_the_inner_service_pass_through() {
    let (mut service, mut handle) =
        mock::spawn_layer::<Request<()>, Response<()>, _>(InboundLayer::new().echo(true));
    assert!(service.poll_ready().is_ready());
    let answer = service.call(Request::new(()));
    let (_, reply) = handle.next_request().await.unwrap();
    reply.send_error("refused by the handler");
    assert_eq!(
        answer.await.unwrap_err().to_string(),
        "refused by the handler"
    );

    handle.send_error("out of service");
    let Poll::Ready(Err(error)) = service.poll_ready() else {
        panic!("an error that is for ever")
    };
    assert_eq!(error.to_string(), "out of service");
}

#[test]
fn the_error_type_is_the_inner_services_and_no_bound_is_asked_of_it() {
    struct Opaque;
    let fails = |_: Request<()>| std::future::ready(Err::<Response<()>, _>(Opaque));
    let mut service = InboundLayer::new().layer(RequestIdLayer::new().layer(service_fn(fails)));
    let future = service.call(Request::new(()));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let Err(Opaque) = runtime.block_on(future) else {
        panic!("it fails")
    };
}

#[test]
fn services_and_futures_can_be_shared_and_sent() {
    fn is_clone_send_sync<T: Clone + Send + Sync>(_: &T) {}
    fn is_send<T: Send>(_: T) {}
    let mut outbound = RequestIdLayer::new().layer(service_fn(answer));
    let mut inbound = InboundLayer::new().layer(service_fn(answer));
    is_clone_send_sync(&outbound);
    is_clone_send_sync(&inbound);
    is_send(outbound.call(Request::new(())));
    is_send(inbound.call(Request::new(())));
}
