//! Servers that fall silent while their connections live.

use std::time::Duration;

use http::Method;
use outrigger::{ErrorKind, Outcome, Phase};
use outrigger_testkit::Server;
use outrigger_testkit::raw::{Code, Peer, Script};
use tokio::time::Instant;
use tower::ServiceExt;

use crate::{h2c, layers, request};

const SECOND: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_millis(300);

/// Its first connection answers one request and then neither reads nor writes any more.
async fn falls_silent() -> Server<Script> {
    let script = Script::new(|mut peer: Peer| async move {
        peer.settings([]).await?;
        if peer.connection() > 1 {
            return peer.behave().await;
        }
        let request = peer.request().await?;
        peer.answer(&request, 200, "").await?;
        peer.black_hole().await
    });
    Server::bind(script).await.unwrap()
}

#[tokio::test]
async fn with_pings_a_call_is_answered_by_a_new_connection_within_a_second_of_their_timeout() {
    let server = falls_silent().await;
    let connector = h2c().keep_alive(PATIENCE, PATIENCE);
    let client = layers(30 * SECOND, 20 * SECOND).over(connector);
    let get = || request(Method::GET, server.url("/"), "");
    client.clone().oneshot(get()).await.unwrap();
    let began = Instant::now();
    let answer = client.oneshot(get()).await.unwrap();
    assert_eq!(answer.status(), 200);
    assert!(began.elapsed() >= PATIENCE, "{:?}", began.elapsed());
    assert!(began.elapsed() < 2 * PATIENCE + SECOND);
    assert_eq!(server.connections(), 2);
}

#[tokio::test]
async fn without_pings_a_connection_is_left_after_a_few_timeouts() {
    let server = falls_silent().await;
    let connector = h2c().without_keep_alive().max_unanswered(3);
    // Each attempt is a call of its own: a second one of the same call avoids the connection anyway.
    let mut layers = layers(30 * SECOND, PATIENCE);
    layers.retry = layers.retry.attempts(1);
    let client = layers.over(connector);
    let get = || request(Method::GET, server.url("/"), "");
    client.clone().oneshot(get()).await.unwrap();
    for _ in 0..3 {
        let error = client.clone().oneshot(get()).await.unwrap_err();
        assert_eq!(error.phase(), Some(Phase::Attempt));
        assert_eq!(server.connections(), 1);
    }
    let began = Instant::now();
    assert_eq!(client.oneshot(get()).await.unwrap().status(), 200);
    assert!(began.elapsed() < SECOND);
    assert_eq!(server.connections(), 2);
}

/// A server takes its leave, says that it takes the stream, and never answers it.
#[tokio::test]
async fn a_stream_that_a_leaving_server_takes_and_forgets_ends_by_its_timeout() {
    for (method, attempts) in [(Method::POST, 1), (Method::GET, 2)] {
        let server = Server::bind(Script::new(|mut peer: Peer| async move {
            peer.settings([]).await?;
            if peer.connection() > 1 {
                return peer.behave().await;
            }
            loop {
                let request = peer.request().await?;
                peer.execute(&request)?;
                if request.stream == 11 {
                    peer.goaway(11, Code::NO_ERROR, "").await?;
                    return peer.silence().await;
                }
                peer.answer(&request, 200, "").await?;
            }
        }));
        let server = server.await.unwrap();
        let client = layers(30 * SECOND, PATIENCE).over(h2c());
        for _ in 0..5 {
            let get = request(Method::GET, server.url("/"), "");
            client.clone().oneshot(get).await.unwrap();
        }
        let began = Instant::now();
        let last = request(method.clone(), server.url("/last"), "100 EUR");
        let answer = client.oneshot(last).await;
        assert!(began.elapsed() >= PATIENCE && began.elapsed() < PATIENCE + SECOND);
        if method == Method::GET {
            assert_eq!(answer.unwrap().status(), 200);
        } else {
            let error = answer.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Timeout);
            assert_eq!(error.phase(), Some(Phase::Attempt));
            assert_eq!(error.outcome(), Outcome::Ambiguous);
        }
        let sent = server.log().requests();
        let sent = sent.iter().filter(|request| request.path == "/last");
        assert_eq!(sent.count(), attempts, "{method}");
    }
}
