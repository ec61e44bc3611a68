//! Servers that answer before they have read the request.

use std::time::Duration;

use http::Method;
use http_body_util::BodyExt;
use outrigger_testkit::Server;
use outrigger_testkit::raw::{Code, Peer, Script};
use tower::ServiceExt;

use crate::{h2c, layers, request};

const SECOND: Duration = Duration::from_secs(1);

/// nginx refuses a long body so, and the reset must not cost the caller the answer
/// (RFC 9113 §8.1).
#[tokio::test]
async fn an_answer_followed_by_a_reset_without_error_is_delivered_after_one_attempt() {
    let server = Server::bind(Script::new(|mut peer: Peer| async move {
        peer.settings([]).await?;
        peer.without_window_updates();
        loop {
            let request = peer.request().await?;
            peer.answer(&request, 413, "too long").await?;
            peer.reset_stream(&request, Code::NO_ERROR).await?;
        }
    }));
    let server = server.await.unwrap();
    let connector = h2c();
    let client = layers(30 * SECOND, 10 * SECOND).over(connector.clone());
    for round in 1..=20 {
        let put = request(Method::PUT, server.url("/"), vec![1; 1 << 20]);
        let answer = client.clone().oneshot(put).await.unwrap();
        assert_eq!(answer.status(), 413);
        let body = answer.into_body().collect().await.unwrap();
        assert_eq!(body.to_bytes(), "too long");
        assert_eq!(server.log().requests().len(), round);
    }
    assert_eq!(server.connections(), 1);
}
