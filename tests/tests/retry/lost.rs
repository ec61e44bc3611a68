//! A server that executes, and then loses its answers.

use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use outrigger_connector::{Connector, HttpVersion};
use outrigger_idempotency::{IDEMPOTENCY_KEY, IdempotencyKeyLayer, KeyFormat};
use outrigger_retry::RetryLayer;
use outrigger_testkit::upstream::{Behaviour, Upstream};
use outrigger_testkit::{Reply, Server};
use tower::{BoxError, Layer, ServiceExt};

use crate::short;

/// Executes what it has not executed under the same key, and then loses so many answers of all.
fn forgetful(losses: usize) -> Upstream {
    let (keys, arrivals) = (Mutex::new(HashSet::new()), AtomicUsize::new(0));
    let upstream = Upstream::new();
    upstream
        .post("/pay")
        .always(Behaviour::with(move |request| {
            let key = request.headers().get(IDEMPOTENCY_KEY).cloned();
            let is_new = key.is_none_or(|key| keys.lock().unwrap().insert(key));
            let answer = match arrivals.fetch_add(1, Ordering::Relaxed) {
                nth if nth < losses => Behaviour::close(),
                _ => Reply::status(201).into(),
            };
            answer.executed(is_new)
        }));
    upstream
}

/// Pays once; with what status, how often that was sent, and how often it was executed.
async fn pay(
    keys: IdempotencyKeyLayer,
    losses: usize,
    version: HttpVersion,
) -> (Option<u16>, usize, usize) {
    let server = Server::bind(forgetful(losses)).await.unwrap();
    let retry = RetryLayer::new().attempts(4).pauses(short());
    let client = keys.layer(retry.layer(Connector::new().http(version)));
    let request = Request::post(server.url("/pay"));
    let request = request.body(Full::<Bytes>::from("17 euros")).unwrap();
    let answer: Result<_, BoxError> = client.oneshot(request).await;
    let status = answer.ok().map(|answer| answer.status().as_u16());
    let log = server.log();
    (status, log.len(), log.executed().len())
}

#[tokio::test]
async fn with_an_honoured_key_a_payment_is_executed_exactly_once() {
    for version in [HttpVersion::H2c, HttpVersion::Http1] {
        for losses in 0..=3 {
            let keys = IdempotencyKeyLayer::new(KeyFormat::Raw).server_honours(true);
            let paid = pay(keys, losses, version).await;
            assert_eq!(paid, (Some(201), losses + 1, 1), "{version:?}");
        }
    }
}

#[tokio::test]
async fn without_one_it_is_sent_once_and_its_fate_is_told() {
    for version in [HttpVersion::H2c, HttpVersion::Http1] {
        let unknown = IdempotencyKeyLayer::new(KeyFormat::Raw);
        for keys in [unknown.clone(), unknown.enabled(false)] {
            assert_eq!(pay(keys, 1, version).await, (None, 1, 1), "{version:?}");
        }
    }
}
