use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::{BodyExt, Full};
use outrigger::connector::{Connector, HttpVersion};
use outrigger::{Layers, SentBody, Stack};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use tower::ServiceExt;

/// How many calls go through each server.
pub(crate) const CALLS: usize = 10_000;

/// How many of them are under way at once.
const AT_ONCE: usize = 32;

type Client = Stack<Connector<SentBody<Full<Bytes>>>>;

/// What became of the calls.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) failed: Vec<String>,
    pub(crate) attempts: usize,
}

/// The default stack, and how many attempts it has made.
fn client() -> (Client, Arc<AtomicUsize>) {
    let attempts = Arc::new(AtomicUsize::new(0));
    let mut layers = Layers::default();
    layers.retry = layers.retry.on_attempt({
        let attempts = Arc::clone(&attempts);
        move |_| {
            attempts.fetch_add(1, Ordering::Relaxed);
        }
    });
    let connector = Connector::new().http(HttpVersion::H2c);
    (layers.over(connector), attempts)
}

/// Sends GETs and POSTs in turn through the default stack. Nobody honours the keys of the POSTs: they
/// are never sent again unless the server has certainly not executed them.
pub(crate) async fn send(addr: SocketAddr) -> Report {
    let (client, attempts) = client();
    let next = Arc::new(AtomicUsize::new(0));
    let mut callers = JoinSet::new();
    for _ in 0..AT_ONCE {
        callers.spawn(call(client.clone(), addr, Arc::clone(&next)));
    }
    let failed = callers.join_all().await.concat();
    Report {
        failed,
        attempts: attempts.load(Ordering::Relaxed),
    }
}

/// Sends so many PUTs that the server finds too long, one after the other; returns how many attempts
/// that has taken.
pub(crate) async fn refused_uploads(addr: SocketAddr, calls: usize) -> usize {
    let (client, attempts) = client();
    for call in 0..calls {
        let put = Request::put(format!("http://{addr}/upload"));
        let put = put.body(Full::from(vec![1; 300_000])).unwrap();
        let answer = client.clone().oneshot(put).await;
        let answer = answer.unwrap_or_else(|error| panic!("call {call}: {error:#?}"));
        assert_eq!(answer.status(), 413);
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        assert!(body.starts_with(b"<html>"), "call {call}");
    }
    attempts.load(Ordering::Relaxed)
}

/// One caller: makes one call after the other and tells which failed.
async fn call(client: Client, addr: SocketAddr, next: Arc<AtomicUsize>) -> Vec<String> {
    let mut failed = Vec::new();
    loop {
        let id = next.fetch_add(1, Ordering::Relaxed);
        if id >= CALLS {
            return failed;
        }
        let (method, body) = match id % 2 {
            0 => (Method::GET, ""),
            _ => (Method::POST, "100 EUR"),
        };
        let request = Request::builder()
            .method(method)
            .uri(format!("http://{addr}/"))
            .header("x-call", id)
            .body(Full::from(body))
            .unwrap();
        let answer = async {
            let response = client.clone().oneshot(request).await?;
            let status = response.status();
            response.into_body().collect().await?;
            Ok::<_, outrigger::BoxError>(status)
        };
        match answer.await {
            Ok(status) if status == 200 => {}
            answer => failed.push(format!("call {id}: {answer:#?}")),
        }
    }
}

/// Checks that no call has failed, and what the server says it executed, as lines of a method and a
/// call's number: each call, and no POST twice.
pub(crate) async fn check(name: &str, report: &Report, executed: impl Fn() -> String) {
    println!("{name}: {} attempts for {CALLS} calls", report.attempts);
    let failed = report.failed.len();
    let first = report.failed.first().map_or("", String::as_str);
    assert_eq!(failed, 0, "{name}: calls failed, the first: {first}");
    let began = Instant::now();
    loop {
        // A server may write an answer's line after the answer.
        let times = times(&executed());
        if times.len() < CALLS && began.elapsed() < Duration::from_secs(10) {
            sleep_until(Instant::now() + Duration::from_millis(50)).await;
            continue;
        }
        assert_eq!(times.len(), CALLS, "{name}: as many were executed");
        let twice = times
            .iter()
            .filter(|(line, times)| line.starts_with("POST") && **times > 1);
        assert_eq!(twice.count(), 0, "{name}: POSTs were executed twice");
        return;
    }
}

/// How often each whole line stands there.
fn times(executed: &str) -> HashMap<String, usize> {
    let mut times = HashMap::new();
    for line in executed
        .split_inclusive('\n')
        .filter(|line| line.ends_with('\n'))
    {
        *times.entry(line.to_owned()).or_default() += 1;
    }
    times
}
