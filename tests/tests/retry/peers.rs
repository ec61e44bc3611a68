//! Peers with habits of their own: what they execute, and what the caller is told.

use std::time::Duration;

use bytes::Bytes;
use http::header::EXPECT;
use http::{Method, Request};
use http_body_util::{BodyExt, Full};
use outrigger_connector::{Connector, HttpVersion};
use outrigger_retry::{Attempts, Outcome, RetryLayer};
use outrigger_testkit::raw::{Code, Script};
use outrigger_testkit::upstream::{Behaviour, Upstream};
use outrigger_testkit::{Body, Reply, Server};
use outrigger_timeout::TimeoutLayer;
use tower::{Layer, ServiceBuilder, ServiceExt};

use crate::short;

fn retry() -> RetryLayer {
    RetryLayer::new().pauses(short()).throttled_pauses(short())
}

fn request(method: Method, url: String) -> Request<Full<Bytes>> {
    let request = Request::builder().method(method).uri(url);
    request.body(Full::from("a body")).unwrap()
}

#[tokio::test]
async fn a_goaway_that_includes_a_stream_which_is_never_answered_ends_by_the_timeout() {
    for (method, arrivals) in [(Method::POST, 1), (Method::PUT, 2)] {
        let script = Script::new(|mut peer| async move {
            peer.settings([]).await?;
            if peer.connection() > 1 {
                return peer.behave().await;
            }
            let request = peer.request().await?;
            peer.execute(&request)?;
            peer.goaway(request.stream, Code::NO_ERROR, "restarting")
                .await?;
            peer.silence().await
        });
        let server = Server::bind(script).await.unwrap();
        let client = ServiceBuilder::new()
            .layer(retry())
            .layer(TimeoutLayer::new(Duration::from_millis(200)))
            .service(Connector::new().http(HttpVersion::H2c));
        let answer = client.oneshot(request(method, server.url("/"))).await;
        assert_eq!(answer.is_ok(), arrivals == 2);
        assert_eq!(server.log().executed().len(), arrivals);
    }
}

#[tokio::test]
async fn a_413_before_a_reset_without_error_is_delivered_and_final() {
    let script = Script::new(|mut peer| async move {
        peer.settings([]).await?;
        let request = peer.request().await?;
        peer.answer(&request, 413, "too large").await?;
        peer.reset_stream(&request, Code::NO_ERROR).await?;
        peer.close().await
    });
    let server = Server::bind(script).await.unwrap();
    let body = Body::drip(vec![0; 100_000], 1_000, Duration::from_millis(1));
    let request = Request::put(server.url("/")).body(body).unwrap();
    let client = retry().layer(Connector::new().http(HttpVersion::H2c));
    let answer = client.oneshot(request).await.unwrap();
    assert_eq!(answer.status(), 413);
    assert!(answer.extensions().get::<Attempts>().is_none());
    let whole = answer.into_body().collect().await.unwrap();
    assert_eq!(whole.to_bytes(), "too large");
    assert_eq!(server.log().requests().len(), 1);
}

#[tokio::test]
async fn a_misdirected_request_goes_over_another_connection() {
    let script = Script::new(|mut peer| async move {
        peer.settings([]).await?;
        if peer.connection() > 1 {
            return peer.behave().await;
        }
        let request = peer.request().await?;
        peer.answer(&request, 421, "").await?;
        peer.close().await
    });
    let server = Server::bind(script).await.unwrap();
    let client = retry().layer(Connector::new().http(HttpVersion::H2c));
    let answer = client.oneshot(request(Method::POST, server.url("/"))).await;
    assert_eq!(answer.unwrap().status(), 200);
    let connections: Vec<_> = server
        .log()
        .requests()
        .iter()
        .map(|request| request.connection)
        .collect();
    assert_eq!(connections, [1, 2]);
}

#[tokio::test]
async fn a_connection_into_a_black_hole_does_not_eat_every_attempt() {
    let script = Script::new(|mut peer| async move {
        peer.settings([]).await?;
        if peer.connection() > 1 {
            return peer.behave().await;
        }
        peer.silence().await
    });
    let server = Server::bind(script).await.unwrap();
    let client = ServiceBuilder::new()
        .layer(retry())
        .layer(TimeoutLayer::new(Duration::from_millis(200)))
        .service(Connector::new().http(HttpVersion::H2c));
    let answer = client.oneshot(request(Method::PUT, server.url("/"))).await;
    let answer = answer.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.extensions().get::<Attempts>().unwrap().made(), 2);
}

#[tokio::test]
async fn answers_that_are_not_read_in_a_pause_hold_neither_connection_nor_window() {
    // Over HTTP/1.1 a short answer is read, and its connection used again.
    let upstream = Upstream::new();
    let busy = upstream.any("/busy");
    for _ in 0..10 {
        let busy = busy.clone();
        let short = Reply::status(503).body(vec![0; 10_000]);
        drop(busy.times(1, short).times(1, Reply::status(200)));
    }
    let server = Server::bind(upstream).await.unwrap();
    let client = retry().layer(Connector::new().http(HttpVersion::Http1));
    for _ in 0..10 {
        let request = request(Method::PUT, server.url("/busy"));
        let answer = client.clone().oneshot(request).await.unwrap();
        assert_eq!(answer.status(), 200);
        answer.into_body().collect().await.unwrap();
    }
    assert_eq!((server.log().len(), server.connections()), (20, 1));

    // Over HTTP/2 long ones are let go, and others on their connection go on.
    let upstream = Upstream::new();
    let long = Reply::status(503).header("retry-after", "50");
    upstream
        .any("/busy")
        .always(long.body(vec![0; 4 * 1024 * 1024]));
    let server = Server::bind(upstream).await.unwrap();
    let client = RetryLayer::new().layer(Connector::new().http(HttpVersion::H2c));
    let mut pausing = tokio::task::JoinSet::new();
    for _ in 0..3 {
        let request = request(Method::PUT, server.url("/busy"));
        pausing.spawn(client.clone().oneshot(request));
    }
    while server.log().len() < 3 {
        tokio::task::yield_now().await;
    }
    let request = request(Method::GET, server.url("/bytes/6000000"));
    let whole = async {
        let answer = client.oneshot(request).await.unwrap();
        answer.into_body().collect().await.unwrap().to_bytes()
    };
    let whole = tokio::time::timeout(Duration::from_secs(20), whole).await;
    assert_eq!(whole.unwrap().len(), 6_000_000);
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn an_expectation_of_the_callers_arrives_unchanged_and_is_no_reason_to_retry() {
    for (status, behaviour) in [(200, Behaviour::echo()), (417, Reply::status(417).into())] {
        let upstream = Upstream::new();
        upstream.any("/").always(behaviour);
        let server = Server::bind(upstream).await.unwrap();
        let mut request = request(Method::PUT, server.url("/"));
        let expectation = "100-continue".parse().unwrap();
        request.headers_mut().insert(EXPECT, expectation);
        let client = retry().layer(Connector::new().http(HttpVersion::Http1));
        assert_eq!(client.oneshot(request).await.unwrap().status(), status);
        let arrivals = server.log().entries();
        assert_eq!(arrivals.len(), 1);
        assert_eq!(arrivals[0].headers[EXPECT], "100-continue");
    }
}

#[tokio::test]
async fn what_a_first_attempt_may_have_done_stands_beside_the_answer_to_the_second() {
    let upstream = Upstream::new();
    let item = upstream.on(Method::DELETE, "/item");
    item.times(1, Behaviour::silence())
        .always(Reply::status(404));
    let server = Server::bind(upstream).await.unwrap();
    let client = ServiceBuilder::new()
        .layer(retry())
        .layer(TimeoutLayer::new(Duration::from_millis(100)))
        .service(Connector::new().http(HttpVersion::H2c));
    let request = request(Method::DELETE, server.url("/item"));
    let answer = client.oneshot(request).await.unwrap();
    let attempts = answer.extensions().get::<Attempts>().unwrap();
    let outcomes: Vec<_> = attempts.iter().map(|attempt| attempt.outcome).collect();
    let gone = Outcome::Answered(http::StatusCode::NOT_FOUND);
    assert_eq!(outcomes, [Outcome::Ambiguous, gone]);
}
