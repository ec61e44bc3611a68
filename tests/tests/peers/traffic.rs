use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::{BodyExt, Full};
use outrigger::connector::{ConnBody, Connector, HttpVersion};
use outrigger::{Layers, ReceivedBody};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use tower::ServiceExt;
use tower::util::BoxCloneSyncService;

/// How many calls go through each server.
pub(crate) const CALLS: usize = 10_000;

/// How many of them are under way at once.
const AT_ONCE: usize = 32;

type Sent = Request<Full<Bytes>>;
type Received = Response<ReceivedBody<ConnBody>>;
type Client = BoxCloneSyncService<Sent, Received, outrigger::Error>;

/// What became of the calls.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) failed: Vec<String>,
    pub(crate) attempts: usize,
}

/// Sends GETs and POSTs in turn through the default stack. Nobody honours the keys of the POSTs: they
/// are never sent again unless the server has certainly not executed them.
pub(crate) async fn send(addr: SocketAddr) -> Report {
    let attempts = Arc::new(AtomicUsize::new(0));
    let mut layers = Layers::default();
    layers.retry = layers.retry.on_attempt({
        let attempts = Arc::clone(&attempts);
        move |_| {
            attempts.fetch_add(1, Ordering::Relaxed);
        }
    });
    let connector = Connector::new().http(HttpVersion::H2c);
    let client = Client::new(layers.over(connector));
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
