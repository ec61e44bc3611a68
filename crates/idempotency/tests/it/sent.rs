use std::collections::HashSet;
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::{Arc, Mutex};

use http::header::HeaderName;
use http::{HeaderMap, HeaderValue, Method, Request};
use outrigger_idempotency::{IDEMPOTENCY_KEY, IdempotencyKey, IdempotencyKeyLayer, KeyFormat};
use tower::{Layer, ServiceBuilder, ServiceExt, retry, service_fn};

use crate::{echo, layer, request};

/// What the server receives of a request that was sent through the layer.
async fn sent(layer: &IdempotencyKeyLayer, request: Request<()>) -> Vec<HeaderValue> {
    let response = layer.layer(service_fn(echo)).oneshot(request).await;
    response.unwrap().into_body()
}

#[tokio::test]
async fn post_and_patch_get_a_key_and_the_idempotent_methods_none() {
    for method in [Method::POST, Method::PATCH] {
        assert_eq!(sent(&layer(), request(method)).await.len(), 1);
    }
    for method in [
        Method::GET,
        Method::HEAD,
        Method::PUT,
        Method::DELETE,
        Method::OPTIONS,
    ] {
        assert!(sent(&layer(), request(method)).await.is_empty());
    }
}

#[tokio::test]
async fn the_methods_are_the_users_choice() {
    let put_only = layer().methods([Method::PUT]);
    assert_eq!(sent(&put_only, request(Method::PUT)).await.len(), 1);
    assert!(sent(&put_only, request(Method::POST)).await.is_empty());
}

#[tokio::test]
async fn a_new_key_is_quoted_in_one_format_and_bare_in_the_other() {
    let quoted = sent(&layer(), request(Method::POST)).await;
    let quoted = quoted[0].to_str().unwrap();
    assert_eq!(
        (quoted.len(), &quoted[..1], &quoted[37..]),
        (38, "\"", "\"")
    );

    let raw = IdempotencyKeyLayer::new(KeyFormat::Raw);
    let bare = sent(&raw, request(Method::POST)).await;
    assert_eq!(bare[0].len(), 36);
}

#[tokio::test]
async fn the_callers_header_is_left_alone_byte_for_byte() {
    let own: [&[u8]; 4] = [b"bare", b"\"quoted\"", b"", b"\xff \t odd"];
    for value in own {
        let mut post = request(Method::POST);
        post.extensions_mut().insert(IdempotencyKey::random());
        post.headers_mut()
            .insert(IDEMPOTENCY_KEY, HeaderValue::from_bytes(value).unwrap());
        assert_eq!(sent(&layer(), post).await, [value]);
    }
}

#[tokio::test]
async fn any_number_of_the_callers_values_is_left_alone() {
    let mut post = request(Method::POST);
    for value in ["one", "two", "two"] {
        post.headers_mut()
            .append(IDEMPOTENCY_KEY, HeaderValue::from_static(value));
    }
    assert_eq!(sent(&layer(), post).await, ["one", "two", "two"]);
}

#[tokio::test]
async fn the_callers_extension_is_written_in_the_layers_format_with_any_method() {
    for method in [Method::POST, Method::PUT] {
        let mut own = request(method);
        own.extensions_mut()
            .insert(IdempotencyKey::parse(r#"a "b""#).unwrap());
        assert_eq!(sent(&layer(), own).await, [r#""a \"b\"""#]);
    }
}

#[tokio::test]
async fn every_value_is_hidden_from_logs_and_from_hpack() {
    let mut own = request(Method::POST);
    for value in ["one", "two"] {
        own.headers_mut()
            .append(IDEMPOTENCY_KEY, HeaderValue::from_static(value));
    }
    let mut extended = request(Method::POST);
    extended.extensions_mut().insert(IdempotencyKey::random());
    for request in [own, extended, request(Method::POST)] {
        let values = sent(&layer(), request).await;
        assert!(!values.is_empty() && values.iter().all(HeaderValue::is_sensitive));
        assert_eq!(format!("{:?}", values[0]), "Sensitive");
    }
}

#[tokio::test]
async fn two_calls_of_clones_differ() {
    let service = layer().layer(service_fn(echo));
    let mut keys = HashSet::new();
    for _ in 0..100 {
        let answer = service.clone().oneshot(request(Method::POST)).await;
        keys.extend(answer.unwrap().into_body());
    }
    assert_eq!(keys.len(), 100);
}

#[tokio::test]
async fn two_layers_make_one_header() {
    let stacked = ServiceBuilder::new()
        .layer(layer())
        .layer(IdempotencyKeyLayer::new(KeyFormat::Raw))
        .service_fn(echo);
    let values = stacked
        .oneshot(request(Method::POST))
        .await
        .unwrap()
        .into_body();
    assert_eq!(
        values.iter().map(HeaderValue::len).collect::<Vec<_>>(),
        [38]
    );
}

#[tokio::test]
async fn another_header_carries_the_key() {
    let name = HeaderName::from_static("paypal-request-id");
    let layer = IdempotencyKeyLayer::new(KeyFormat::Raw).header(name.clone());
    assert_eq!(layer.header_name(), &name);

    let whole = |request: Request<()>| ready(Ok::<_, Infallible>(request.headers().clone()));
    let headers = layer
        .layer(service_fn(whole))
        .oneshot(request(Method::POST))
        .await
        .unwrap();
    assert_eq!(headers.len(), 1);
    assert_eq!(headers[name].len(), 36);
}

#[tokio::test]
async fn switched_off_it_sends_none() {
    let off = layer().enabled(false);
    assert!(sent(&off, request(Method::POST)).await.is_empty());
}

/// Sends again until the third attempt.
#[derive(Clone)]
struct Thrice(u32);

impl<R> retry::Policy<Request<()>, R, Infallible> for Thrice {
    type Future = Ready<()>;

    fn retry(&mut self, _: &mut Request<()>, _: &mut Result<R, Infallible>) -> Option<Ready<()>> {
        self.0 += 1;
        (self.0 < 3).then(|| ready(()))
    }

    fn clone_request(&mut self, request: &Request<()>) -> Option<Request<()>> {
        Some(request.clone())
    }
}

#[tokio::test]
async fn three_attempts_carry_one_key() {
    let log = Arc::new(Mutex::new(Vec::new()));
    let server = {
        let log = Arc::clone(&log);
        service_fn(move |request: Request<()>| {
            log.lock()
                .unwrap()
                .push(request.headers()[IDEMPOTENCY_KEY].clone());
            echo(request)
        })
    };
    let client = ServiceBuilder::new()
        .layer(layer())
        .layer(retry::RetryLayer::new(Thrice(0)))
        .service(server);
    client.oneshot(request(Method::POST)).await.unwrap();

    let log = log.lock().unwrap();
    assert_eq!(log.len(), 3);
    assert!(log.iter().all(|key| key == log[0]));
}

#[tokio::test]
async fn a_request_without_room_for_one_more_field_goes_out_as_it_is() {
    let mut full = HeaderMap::new();
    let mut n = 0;
    while full
        .try_append(
            format!("x-{n}").parse::<HeaderName>().unwrap(),
            HeaderValue::from_static(""),
        )
        .is_ok()
    {
        n += 1;
    }
    let mut post = request(Method::POST);
    *post.headers_mut() = full;
    let told =
        service_fn(|_: Request<()>| ready(Ok::<_, Infallible>(outrigger_core::call::current())));
    let call = layer()
        .server_honours(true)
        .layer(told)
        .oneshot(post)
        .await
        .unwrap();
    assert!(call.is_none_or(|call| !call.key_honoured()));
}
