use std::time::Duration;

use http::{HeaderName, HeaderValue, Request, Response};
use outrigger_core::{Deadline, inbound};
use outrigger_request_id::{Generator, InboundLayer, RequestId, X_CORRELATION_ID, X_REQUEST_ID};
use tokio::time::Instant;
use tower::{BoxError, Layer, Service, ServiceExt, service_fn};

use crate::{Seen, id, is_new, with_header};

const TIMEOUT_MS: HeaderName = HeaderName::from_static("x-timeout-ms");
const GRPC_TIMEOUT: &str = "grpc-timeout";

/// What a handler knows of its request.
#[derive(Debug, PartialEq)]
struct Known {
    header: Seen,
    extension: Option<RequestId>,
    ambient: Option<RequestId>,
    deadline: Option<Deadline>,
}

async fn tell(request: Request<()>) -> Result<Response<Known>, BoxError> {
    let header = request.headers().get_all(X_REQUEST_ID).iter();
    Ok(Response::new(Known {
        header: header.cloned().collect(),
        extension: request.extensions().get().cloned(),
        ambient: inbound::request_id(),
        deadline: inbound::deadline(),
    }))
}

async fn known(layer: &InboundLayer, request: Request<()>) -> Known {
    let answer = layer.layer(service_fn(tell)).oneshot(request).await;
    answer.unwrap().into_body()
}

#[tokio::test]
async fn header_extension_and_scope_agree() {
    let layer = InboundLayer::new();
    for (header, expected) in [
        (vec!["order-17"], Some("order-17")),
        (vec!["not valid", "order-17"], Some("order-17")),
        (vec!["not valid"], None),
        (vec![], None),
    ] {
        let known = known(&layer, with_header(header)).await;
        let ambient = known.ambient.unwrap();
        assert_eq!(known.header, [ambient.as_str()]);
        assert_eq!(known.extension, Some(ambient.clone()));
        match expected {
            Some(expected) => assert_eq!(ambient, id(expected)),
            None => assert!(is_new(&known.header)),
        }
    }
}

#[tokio::test]
async fn hostile_ids_do_not_reach_the_handler() {
    let long = HeaderValue::try_from("x".repeat(64 * 1024)).unwrap();
    let binary = HeaderValue::from_bytes(b"a\tb\xffc").unwrap();
    for hostile in [long, binary] {
        let known = known(&InboundLayer::new(), with_header([hostile])).await;
        assert!(is_new(&known.header), "{known:?}");
    }
}

#[tokio::test]
async fn an_id_that_an_outer_layer_made_is_taken_over() {
    let mut request = Request::new(());
    request.extensions_mut().insert(id("made-outside"));
    let seen = known(&InboundLayer::new(), request).await;
    assert_eq!(seen.ambient, Some(id("made-outside")));

    let stack = InboundLayer::new().layer(InboundLayer::new().layer(service_fn(tell)));
    let seen = stack
        .oneshot(with_header(["not valid"]))
        .await
        .unwrap()
        .into_body();
    assert_eq!(seen.header, [seen.ambient.unwrap().as_str()]);
}

#[tokio::test]
async fn header_and_generator_are_the_ones_that_were_named() {
    let layer = InboundLayer::default()
        .header(X_CORRELATION_ID)
        .generator(Generator::V4);
    let request = Request::builder()
        .header(X_CORRELATION_ID, "order-17")
        .body(());
    let seen = known(&layer, request.unwrap()).await;
    assert_eq!((seen.ambient, seen.header.len()), (Some(id("order-17")), 0));
    let made = known(&layer, Request::new(())).await.ambient.unwrap();
    assert_eq!(&made.as_str()[14..15], "4");
}

#[tokio::test(start_paused = true)]
async fn the_clients_patience_is_the_handlers_deadline() {
    let plain = InboundLayer::new().deadline_header(TIMEOUT_MS);
    let of = async |layer: &InboundLayer, headers: &[(&str, &str)]| {
        let request = headers
            .iter()
            .fold(Request::builder(), |request, (name, value)| {
                request.header(*name, *value)
            });
        let known = known(layer, request.body(()).unwrap()).await;
        known
            .deadline
            .map(|deadline| deadline.remaining(Instant::now()))
    };
    let ms = Duration::from_millis;
    assert_eq!(of(&plain, &[]).await, None);
    assert_eq!(of(&plain, &[("x-timeout-ms", "250")]).await, Some(ms(250)));
    assert_eq!(of(&plain, &[(GRPC_TIMEOUT, "2S")]).await, Some(ms(2_000)));
    let both = [("x-timeout-ms", "250"), (GRPC_TIMEOUT, "2S")];
    assert_eq!(of(&plain, &both).await, Some(ms(250)));
    assert_eq!(of(&InboundLayer::new(), &both).await, Some(ms(2_000)));
    assert_eq!(of(&plain, &[("x-timeout-ms", "soon")]).await, None);
    assert_eq!(of(&plain, &[("x-timeout-ms", "0")]).await, Some(ms(0)));
}

#[tokio::test(start_paused = true)]
async fn a_server_within_a_handler_has_no_longer_than_the_handler() {
    let layer = InboundLayer::new().deadline_header(TIMEOUT_MS);
    let inner = layer.layer(service_fn(tell));
    let outer = layer.layer(service_fn(move |_: Request<()>| {
        let request = Request::builder().header(TIMEOUT_MS, "5000").body(());
        inner.clone().oneshot(request.unwrap())
    }));
    let request = Request::builder()
        .header(TIMEOUT_MS, "250")
        .header(X_REQUEST_ID, "order-17");
    let known = outer
        .oneshot(request.body(()).unwrap())
        .await
        .unwrap()
        .into_body();
    assert_eq!(
        known.deadline,
        Some(Deadline::within(Duration::from_millis(250)))
    );
    assert_eq!(known.ambient, Some(id("order-17")));
}

#[tokio::test]
async fn the_response_carries_the_id_when_it_is_asked_to() {
    let layer = InboundLayer::new().echo(true);
    let answer = async |layer: &InboundLayer, request| {
        let answer = layer
            .layer(service_fn(tell))
            .oneshot(request)
            .await
            .unwrap();
        let echoed = answer.headers().get_all(X_REQUEST_ID).iter().cloned();
        (echoed.collect::<Seen>(), answer.into_body().header)
    };
    let (echoed, _) = answer(&layer, with_header(["order-17"])).await;
    assert_eq!(echoed, ["order-17"]);
    let (echoed, handled) = answer(&layer, with_header(["not valid"])).await;
    assert_eq!(echoed, handled);
    let (echoed, _) = answer(&InboundLayer::new(), with_header(["order-17"])).await;
    assert!(echoed.is_empty());
}

#[tokio::test]
async fn an_id_that_the_handler_put_on_the_response_stays() {
    let own = async |_: Request<()>| {
        Ok::<_, BoxError>(
            Response::builder()
                .header(X_REQUEST_ID, "own")
                .body(())
                .unwrap(),
        )
    };
    let server = InboundLayer::new().echo(true).layer(service_fn(own));
    let answer = server.oneshot(with_header(["order-17"])).await.unwrap();
    let values = answer.headers().get_all(X_REQUEST_ID).iter();
    assert_eq!(values.collect::<Vec<_>>(), ["own"]);
}

#[tokio::test]
async fn switched_off_it_touches_nothing() {
    let layer = InboundLayer::new()
        .deadline_header(TIMEOUT_MS)
        .echo(true)
        .enabled(false);
    let mut request = with_header(["not valid"]);
    request
        .headers_mut()
        .insert(TIMEOUT_MS, HeaderValue::from_static("250"));
    let expected = Known {
        header: vec![HeaderValue::from_static("not valid")],
        extension: None,
        ambient: None,
        deadline: None,
    };
    assert_eq!(known(&layer, request).await, expected);

    // It is no scope of its own either: one further out reaches through.
    let outer = InboundLayer::new().layer(layer.layer(service_fn(tell)));
    let seen = outer.oneshot(with_header(["order-17"])).await.unwrap();
    assert_eq!(seen.into_body().ambient, Some(id("order-17")));
}

/// What `tonic::transport::Server::layer` and its `Router` ask of a layer, for any body.
fn fits_a_tonic_server<S, B, R>(service: S)
where
    S: Service<Request<B>, Response = Response<R>, Error: Into<BoxError> + Send>,
    S: Clone + Send + 'static,
    S::Future: Send + 'static,
{
    fn bounds<L, S, B, R>(layer: L, service: S)
    where
        L: Layer<S>,
        L::Service: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
        <L::Service as Service<Request<B>>>::Error: Into<BoxError> + Send,
        <L::Service as Service<Request<B>>>::Future: Send + 'static,
    {
        drop(layer.layer(service));
    }
    bounds(InboundLayer::new(), service);
}

#[test]
fn it_fits_a_tonic_server() {
    fits_a_tonic_server(service_fn(tell));
}
