//! The table of decisions in the docs of `outrigger-retry`, walked over HTTP/1.1 and HTTP/2.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{Method, Request};
use http_body_util::Full;
use outrigger_connector::{Connector, HttpVersion};
use outrigger_idempotency::{IdempotencyKeyLayer, KeyFormat};
use outrigger_retry::RetryLayer;
use outrigger_testkit::raw::Code;
use outrigger_testkit::upstream::{Arrival, Behaviour, Upstream};
use outrigger_testkit::{Reply, Server};
use tokio::net::TcpSocket;
use tokio::task::JoinSet;
use tower::{Layer, ServiceExt};

use crate::short;

const TABLE: &str = include_str!("../../../crates/retry/docs/decisions.md");

struct Row {
    method: Method,
    outcome: &'static str,
    key: &'static str,
    replay: bool,
    sent: usize,
}

fn rows() -> impl Iterator<Item = Row> {
    let lines = TABLE.lines().filter(|line| line.starts_with("| "));
    lines.skip(1).map(|line| {
        let cells: Vec<_> = line.split('|').map(str::trim).collect();
        let [_, method, outcome, key, replay, sent, _, _] = cells[..] else {
            panic!("{line}");
        };
        Row {
            method: method.parse().unwrap(),
            outcome,
            key,
            replay: replay == "yes",
            sent: sent.parse().unwrap(),
        }
    })
}

/// How the outcome comes about on the wire; `None` where it does not: local rejections and faults that
/// are final have other causes, and HTTP/1.1 cannot refuse a stream.
fn behaviour(outcome: &str, version: HttpVersion) -> Option<Behaviour> {
    let (what, qualifier) = outcome.split_once(", ").unwrap_or((outcome, ""));
    Some(match (what, version) {
        (_, _) if qualifier == "final" => return None,
        ("local rejection", _) | ("unprocessed", HttpVersion::Http1) => return None,
        ("unprocessed", _) => Behaviour::refuse(),
        ("ambiguous", HttpVersion::Http1) => Behaviour::close(),
        ("ambiguous", _) => Behaviour::reset(Code::INTERNAL_ERROR),
        ("421", _) => Behaviour::from(Reply::status(421)).executed(false),
        // It goes to where nobody listens.
        ("unsent", _) => Reply::status(200).into(),
        (what, _) => match what.strip_prefix("grpc ") {
            None => Reply::status(what).into(),
            Some(status) => {
                let reply = Reply::status(200).header("grpc-status", status);
                match qualifier.strip_prefix("pushback ") {
                    Some(pushback) => reply.header("grpc-retry-pushback-ms", pushback).into(),
                    None => reply.into(),
                }
            }
        },
    })
}

/// Makes the row's call; how many attempts it made, and how many of them the server executed.
async fn walk(row: &Row, behaviour: Behaviour, version: HttpVersion) -> (usize, usize) {
    let upstream = Upstream::new();
    upstream.any("/").always(behaviour);
    let server = Server::bind(upstream).await.unwrap();
    // Bound, so that nobody else gets the port, and not listening.
    let deaf = TcpSocket::new_v4().unwrap();
    deaf.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let url = if row.outcome == "unsent" {
        format!("http://{}/", deaf.local_addr().unwrap())
    } else {
        server.url("/")
    };
    let kind = if row.outcome.starts_with("grpc") {
        "application/grpc"
    } else {
        "text/plain"
    };
    let body = vec![7; if row.replay { 1_000 } else { 64 * 1024 + 1 }];
    let request = Request::builder()
        .method(row.method.clone())
        .uri(url)
        .header(CONTENT_TYPE, kind)
        .body(Full::<Bytes>::from(body))
        .unwrap();
    let attempts = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&attempts);
    let layer = RetryLayer::new()
        .pauses(short())
        .throttled_pauses(short())
        .on_attempt(move |_| {
            counted.fetch_add(1, Ordering::Relaxed);
        });
    let keys = IdempotencyKeyLayer::new(KeyFormat::Raw)
        .server_honours(row.key == "honoured")
        .enabled(!row.key.is_empty());
    let service = keys.layer(layer.layer(Connector::new().http(version)));
    let call = service.oneshot(request);
    let _ = tokio::time::timeout(Duration::from_secs(30), call)
        .await
        .unwrap();
    let arrivals = server.log().entries();
    let keys: HashSet<_> = arrivals.iter().map(Arrival::idempotency_key).collect();
    if !arrivals.is_empty() {
        assert_eq!(keys.len(), 1, "another key for another attempt");
        assert_eq!(keys.contains(&None), row.key.is_empty());
    }
    (
        attempts.load(Ordering::Relaxed),
        server.log().executed().len(),
    )
}

async fn walk_all(version: HttpVersion) -> usize {
    let mut walks = JoinSet::new();
    for row in rows() {
        let Some(behaviour) = behaviour(row.outcome, version) else {
            continue;
        };
        walks.spawn(async move {
            let (attempts, executed) = walk(&row, behaviour, version).await;
            let name = format!("{} {} {} {}", row.method, row.outcome, row.key, row.replay);
            assert_eq!(attempts, row.sent, "{name}");
            let harmless = ["unsent", "unprocessed", "421"].contains(&row.outcome);
            assert_eq!(executed, if harmless { 0 } else { row.sent }, "{name}");
            if !row.method.is_idempotent() && row.key != "honoured" {
                assert!(executed <= 1, "{name} was executed {executed} times");
            }
        });
    }
    walks.join_all().await.len()
}

#[test]
fn the_guide_shows_the_same_table() {
    const GUIDE: &str = include_str!("../../../docs/retrying-safely.md");
    let table = &TABLE[TABLE.find("| method |").unwrap()..];
    assert!(GUIDE.trim_end().ends_with(table.trim_end()));
}

#[tokio::test]
async fn over_http_2() {
    assert!(walk_all(HttpVersion::H2c).await >= 120);
}

#[tokio::test]
async fn over_http_1() {
    assert!(walk_all(HttpVersion::Http1).await >= 110);
}
