//! What a server is told of a body: the same with the layer and without.

use bytes::Bytes;
use http::{HeaderMap, Request};
use outrigger_connector::{Connector, HttpVersion};
use outrigger_retry::RetryLayer;
use outrigger_testkit::raw::{Frame, Script};
use outrigger_testkit::upstream::Upstream;
use outrigger_testkit::{Body, Server};
use tower::{Layer, ServiceExt};

/// A body of each kind.
fn bodies() -> [Body; 5] {
    let trailers = || HeaderMap::from_iter([(http::header::ETAG, "7".parse().unwrap())]);
    [
        Body::empty(),
        Body::from("full"),
        Body::empty().data("a ").data("stream"),
        Body::from("full").trailers(trailers()),
        Body::empty().data("a ").data("stream").trailers(trailers()),
    ]
}

/// Sends a body with the layer or without.
async fn send(url: String, body: Body, version: HttpVersion, retried: bool) {
    let request = Request::post(url);
    let status = if retried {
        let client = RetryLayer::new().layer(Connector::new().http(version));
        let answer = client.oneshot(request.body(body).unwrap()).await;
        answer.unwrap().status()
    } else {
        let client = Connector::new().http(version);
        let answer = client.oneshot(request.body(body).unwrap()).await;
        answer.unwrap().status()
    };
    assert_eq!(status, 200);
}

#[tokio::test]
async fn over_http_1_the_headers_are_the_same() {
    for (direct, retried) in bodies().into_iter().zip(bodies()) {
        let server = Server::bind(Upstream::new()).await.unwrap();
        send(server.url("/"), direct, HttpVersion::Http1, false).await;
        send(server.url("/"), retried, HttpVersion::Http1, true).await;
        let arrivals = server.log().entries();
        assert_eq!(arrivals[0].headers, arrivals[1].headers);
        assert_eq!(arrivals[0].body_len, arrivals[1].body_len);
    }
}

/// What stands for a frame: its kind, its bytes, and whether it ends the stream.
fn told(frames: &[(usize, Frame)], connection: usize) -> Vec<(&'static str, Bytes, bool)> {
    let told = frames.iter().filter(|(on, _)| *on == connection);
    told.filter_map(|(_, frame)| match frame {
        Frame::Headers {
            block, end_stream, ..
        } => Some(("headers", block.clone(), *end_stream)),
        Frame::Data {
            payload,
            end_stream,
            ..
        } => Some(("data", payload.clone(), *end_stream)),
        _ => None,
    })
    .collect()
}

#[tokio::test]
async fn over_http_2_the_frames_are_the_same() {
    for (direct, retried) in bodies().into_iter().zip(bodies()) {
        let script = Script::new(|mut peer| async move {
            peer.settings([]).await?;
            let request = peer.request().await?;
            peer.body(&request).await?;
            peer.answer(&request, 200, "").await?;
            peer.close().await
        });
        let server = Server::bind(script).await.unwrap();
        send(server.url("/"), direct, HttpVersion::H2c, false).await;
        send(server.url("/"), retried, HttpVersion::H2c, true).await;
        let frames = server.log().frames();
        let one = told(&frames, 1);
        assert!(!one.is_empty());
        assert_eq!(one, told(&frames, 2));
    }
}
