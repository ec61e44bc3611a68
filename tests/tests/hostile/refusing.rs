//! Servers that take no streams.

use std::time::Duration;

use http::Method;
use outrigger::{ErrorKind, Outcome, Phase};
use outrigger_testkit::Server;
use outrigger_testkit::raw::{Code, Peer, Script, Setting};
use tokio::time::{Instant, timeout};
use tower::ServiceExt;

use crate::{h2c, layers, request};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test]
async fn a_server_that_refuses_every_stream_is_sent_a_call_as_often_as_it_may_be() {
    let server = Server::bind(Script::new(|mut peer: Peer| async move {
        peer.settings([]).await?;
        loop {
            let request = peer.request().await?;
            peer.reset_stream(&request, Code::REFUSED_STREAM).await?;
        }
    }));
    let server = server.await.unwrap();
    let client = layers(30 * SECOND, 10 * SECOND).over(h2c());
    for method in [Method::GET, Method::POST] {
        let before = server.log().requests().len();
        let call = request(method, server.url("/"), "100 EUR");
        let error = timeout(10 * SECOND, client.clone().oneshot(call)).await;
        let error = error.unwrap().unwrap_err();
        assert_eq!(error.outcome(), Outcome::Unprocessed);
        assert_eq!(server.log().requests().len() - before, 3);
    }
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn a_server_that_allows_no_streams_is_sent_none_and_the_deadline_ends_the_call() {
    let server = Server::bind(Script::new(|mut peer: Peer| async move {
        peer.settings([(Setting::MAX_CONCURRENT_STREAMS, 0)])
            .await?;
        peer.silence().await
    }));
    let server = server.await.unwrap();
    let connector = h2c().acquire_timeout(20 * SECOND);
    let client = layers(SECOND, 10 * SECOND).over(connector.clone());
    let began = Instant::now();
    let call = request(Method::GET, server.url("/"), "");
    let error = client.oneshot(call).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.phase()),
        (ErrorKind::Timeout, Some(Phase::Total))
    );
    assert_eq!(error.outcome(), Outcome::Unsent);
    assert!(began.elapsed() >= SECOND && began.elapsed() < 3 * SECOND);
    assert_eq!(server.log().requests().len(), 0);
    assert!(server.connections() <= 4, "{}", server.connections());
    assert_eq!(connector.snapshot().waiting(), 0);
}
