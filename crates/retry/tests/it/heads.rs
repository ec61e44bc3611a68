//! What each attempt carries.

use http::header::CONTENT_TYPE;
use http::{HeaderName, Method, Request, Response};
use outrigger_core::call;
use outrigger_retry::{Idempotent, ReplayBody};
use outrigger_testkit::{Body, BoxError, Reply, mock::Mock};
use tower::{Layer, ServiceBuilder, ServiceExt, service_fn};

use crate::support::{Seen, millis, request, steady, within};

#[derive(Clone)]
struct Left;

#[tokio::test(start_paused = true)]
async fn what_layers_below_do_to_a_head_is_not_seen_by_the_next_attempt() {
    let mock = Mock::new();
    mock.any("/").always(Reply::status(500));
    let log = mock.log();
    let meddling = ServiceBuilder::new()
        .layer(steady())
        .map_request(|mut request: Request<ReplayBody<Body>>| {
            assert_eq!(request.uri(), "http://upstream.test/");
            assert!(request.extensions().get::<Left>().is_none());
            *request.uri_mut() = "/".parse().unwrap();
            request.extensions_mut().insert(Left);
            request.headers_mut().append("x-hop", "1".parse().unwrap());
            request
        })
        .service(mock);
    let _ = meddling.oneshot(request(Method::GET)).await;
    let entries = log.entries();
    assert_eq!(entries.len(), 3);
    for entry in entries {
        assert_eq!(entry.head().headers.get_all("x-hop").iter().count(), 1);
        assert_eq!(entry.body().unwrap(), "payload");
    }
}

#[tokio::test(start_paused = true)]
async fn attempts_are_numbered_in_a_header_by_choice_and_in_the_call() {
    const NUMBER: HeaderName = HeaderName::from_static("x-attempt");
    let server = service_fn(|request: Request<ReplayBody<Body>>| async move {
        let number = call::current().map(|call| call.attempt().to_string());
        assert_eq!(request.headers()[NUMBER].to_str().ok(), number.as_deref());
        let seen = request.headers()[NUMBER].clone();
        let response = Response::builder().status(500).header(NUMBER, seen);
        Ok::<_, BoxError>(response.body(Body::empty())?)
    });
    let service = steady().attempt_header(NUMBER).layer(server);
    let response = service.oneshot(request(Method::GET)).await.unwrap();
    assert_eq!(response.headers()[NUMBER], "3");
}

fn grpc() -> Request<Body> {
    let mut request = Request::post("http://upstream.test/echo.Echo/Say")
        .header(CONTENT_TYPE, "application/grpc")
        .body(Body::from("message"))
        .unwrap();
    request.extensions_mut().insert(Idempotent);
    request
}

#[tokio::test(start_paused = true)]
async fn retries_of_a_grpc_call_say_how_many_attempts_came_before() {
    let mock = Mock::new();
    mock.post("/*")
        .always(Reply::status(200).header("grpc-status", "14"));
    let _ = steady().layer(mock.clone()).oneshot(grpc()).await;
    let said: Vec<_> = mock
        .log()
        .entries()
        .iter()
        .map(|entry| {
            let previous = entry.head().headers.get("grpc-previous-rpc-attempts");
            previous.map(|value| value.to_str().unwrap().to_owned())
        })
        .collect();
    assert_eq!(said, [None, Some("1".to_owned()), Some("2".to_owned())]);
}

#[tokio::test(start_paused = true)]
async fn grpc_pushback_is_obeyed() {
    for (pushback, expected) in [
        ("300", 3),
        ("0", 3),
        ("-1", 1),
        ("soon", 1),
        ("", 1),
        ("99999999999999999999", 1),
    ] {
        let (mock, seen) = (Mock::new(), Seen::default());
        let reply = Reply::status(200)
            .header("grpc-status", "14")
            .header("grpc-retry-pushback-ms", pushback);
        mock.post("/*").always(reply);
        let service = steady().on_attempt(seen.by()).layer(mock.clone());
        let _ = service.oneshot(grpc()).await;
        assert_eq!(mock.log().entries().len(), expected, "{pushback:?}");
        if pushback == "300" {
            assert!(seen.pauses()[1..].iter().all(|pause| *pause >= millis(300)));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn so_is_the_pushback_of_a_proxy_that_answers_in_place_of_the_server() {
    for (pushback, expected) in [("2000", 3), ("-1", 1)] {
        let (mock, seen) = (Mock::new(), Seen::default());
        let reply = Reply::status(503).header("grpc-retry-pushback-ms", pushback);
        mock.post("/*").always(reply);
        let service = steady().on_attempt(seen.by()).layer(mock.clone());
        let _ = service.oneshot(grpc()).await;
        assert_eq!(mock.log().entries().len(), expected, "{pushback:?}");
        assert!(
            seen.pauses()[1..]
                .iter()
                .all(|pause| *pause >= millis(2_000))
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_stored_answer_to_a_key_is_final() {
    let mock = Mock::new();
    mock.any("/")
        .always(Reply::status(500).header("idempotent-replayed", "true"));
    let service = steady().layer(mock.clone());
    let _ = within(
        |call| call.honour_key(),
        || service.oneshot(request(Method::POST)),
    )
    .await;
    assert_eq!(mock.log().entries().len(), 1);
}
