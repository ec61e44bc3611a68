//! Request bodies that are still on their way when the first attempt ends.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::BodyExt;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use outrigger_connector::{Connector, HttpVersion};
use outrigger_retry::{Attempts, ReplayBody, RetryLayer};
use outrigger_testkit::raw::Script;
use outrigger_testkit::upstream::{Behaviour, Upstream};
use outrigger_testkit::{Body, Reply, Server};
use tower::{BoxError, Layer, Service, ServiceExt};

use crate::short;

/// Some bytes that show when they are out of order.
fn bytes() -> Bytes {
    (0..=255).cycle().take(10_000).collect::<Vec<u8>>().into()
}

/// Sends them slowly to a server that answers the first attempt so, and later ones with what came.
async fn uploads<C, R>(client: C, method: Method, first: impl Into<Behaviour>)
where
    C: Service<Request<ReplayBody<Body>>, Response = Response<R>, Error: Into<BoxError>> + Clone,
    R: http_body::Body<Data = Bytes, Error: Into<BoxError>>,
{
    let upstream = Upstream::new();
    let route = upstream.any("/upload");
    route.times(1, first).always(Behaviour::echo());
    let server = Server::bind(upstream).await.unwrap();
    let body = Body::drip(bytes(), 500, Duration::from_millis(10));
    let request = Request::builder()
        .method(method)
        .uri(server.url("/upload"))
        .body(body)
        .unwrap();
    let service = RetryLayer::new()
        .pauses(short())
        .throttled_pauses(short())
        .layer(client);
    let response = service.oneshot(request).await.unwrap();
    assert_eq!(response.status(), 200);
    let attempts = response.extensions().get::<Attempts>().unwrap();
    assert_eq!(attempts.made(), 2);
    let answered = response.into_body().collect().await.map_err(Into::into);
    assert_eq!(answered.unwrap().to_bytes(), bytes());
}

/// A 503 that does not wait for the body.
fn early() -> Behaviour {
    Behaviour::from(Reply::status(503)).early()
}

#[tokio::test]
async fn an_early_503_does_not_mix_the_bytes_of_two_attempts() {
    for version in [HttpVersion::H2c, HttpVersion::Http1] {
        uploads(Connector::new().http(version), Method::PUT, early()).await;
    }
}

#[tokio::test]
async fn nor_over_hyper_utils_client() {
    for http2 in [true, false] {
        let client = Client::builder(TokioExecutor::new())
            .http2_only(http2)
            .build_http();
        uploads(client, Method::PUT, early()).await;
    }
}

#[tokio::test]
async fn nor_while_the_old_one_is_still_piped() {
    // As servers do that read an upload which they have answered already: the stream is not reset.
    let script = Script::new(|mut peer| async move {
        peer.settings([]).await?;
        let first = peer.request().await?;
        peer.head(&first, 503, &[], true).await?;
        let second = peer.request().await?;
        let whole = peer.body(&second).await?;
        peer.answer(&second, 200, whole).await?;
        peer.close().await
    });
    let server = Server::bind(script).await.unwrap();
    let body = Body::drip(bytes(), 500, Duration::from_millis(10));
    let request = Request::put(server.url("/")).body(body).unwrap();
    let layer = RetryLayer::new().throttled_pauses(short());
    let client = layer.layer(Connector::new().http(HttpVersion::H2c));
    let response = client.oneshot(request).await.unwrap();
    let answered = response.into_body().collect().await.unwrap();
    assert_eq!(answered.to_bytes(), bytes());
    let first = &server.log().requests()[0];
    assert!(bytes().starts_with(&server.log().body(first)));
}

#[tokio::test]
async fn a_stream_that_was_refused_is_sent_again_whole_whatever_its_method() {
    let connector = Connector::new().http(HttpVersion::H2c);
    uploads(connector, Method::POST, Behaviour::refuse()).await;
    let client = Client::builder(TokioExecutor::new())
        .http2_only(true)
        .build_http();
    uploads(client, Method::POST, Behaviour::refuse()).await;
}
