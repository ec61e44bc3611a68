//! Request bodies of any kind behind one type.

use bytes::Bytes;
use http::{HeaderMap, Request};
use http_body::Body as _;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty, Full};
use outrigger_connector::{AnyBody, Connector, HttpVersion};
use outrigger_core::BoxError;
use outrigger_testkit::Server;
use outrigger_testkit::upstream::Upstream;
use tower::{Service, ServiceExt};

use crate::support::{Piece, Scripted};

#[tokio::test]
async fn calls_with_bodies_of_several_kinds_are_spawned_and_share_a_pool() {
    let server = Server::bind(Upstream::new()).await.unwrap();
    let connector: Connector = Connector::new().http(HttpVersion::H2c);
    let pieces = Scripted::new([Piece::Data("piece by "), Piece::Data("piece")]);
    let cases = [
        (AnyBody::new(Empty::new()), ""),
        (AnyBody::new(Full::from("whole")), "whole"),
        (AnyBody::new(pieces), "piece by piece"),
    ];
    for (body, echo) in cases {
        let request = Request::post(server.url("/echo")).body(body).unwrap();
        let connector = connector.clone();
        let call = tokio::spawn(async move {
            let response = connector.oneshot(request).await.unwrap();
            response.into_body().collect().await.unwrap().to_bytes()
        });
        assert_eq!(call.await.unwrap(), echo);
    }
    assert_eq!(connector.snapshot().connections(), 1);
}

#[tokio::test]
async fn a_call_with_a_lifetime_in_its_body_is_spawned_when_it_is_made_directly() {
    let server = Server::bind(Upstream::new()).await.unwrap();
    let mut connector = Connector::new().http(HttpVersion::H2c);
    let body: UnsyncBoxBody<Bytes, BoxError> =
        Full::from("hello").map_err(Into::into).boxed_unsync();
    let request = Request::post(server.url("/echo")).body(body).unwrap();
    let call = connector.call(request);
    let call = tokio::spawn(async move { call.await.unwrap().status() });
    assert_eq!(call.await.unwrap(), 200);
}

#[tokio::test]
async fn frames_hints_and_errors_pass_through() {
    assert!(AnyBody::default().is_end_stream() && AnyBody::new(Empty::new()).is_end_stream());
    let mut body = AnyBody::new(Full::from("hello"));
    assert_eq!(body.size_hint().exact(), Some(5));
    assert!(!body.is_end_stream());
    body.frame().await.unwrap().unwrap();
    assert!(body.is_end_stream());
    let mut trailers = HeaderMap::new();
    trailers.insert("sum", "5".parse().unwrap());
    let sent = Full::from("hello").with_trailers(std::future::ready(Some(Ok(trailers.clone()))));
    let received = AnyBody::new(sent).collect().await.unwrap();
    assert_eq!(received.trailers(), Some(&trailers));
    let broken = AnyBody::new(Scripted::new([Piece::Fail])).collect().await;
    assert_eq!(broken.unwrap_err().to_string(), "the caller's words");
}
