//! When a connection takes no new calls.

use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::Uri;
use outrigger_connector::{Connector, ErrorKind, HttpVersion};
use outrigger_core::call::{Scope, update};
use outrigger_testkit::raw::{Code, Peer, Request, Script, Setting};
use tokio::time::{Instant, sleep_until, timeout};
use tower::ServiceExt;

use crate::support::memory::Dialer;
use crate::support::{Body, calm, get, parked, read, send};

const URL: &str = "http://memory.test/";
const SILENT: &str = "http://memory.test/silent";
const PATIENCE: Duration = Duration::from_millis(500);

type InMemory = Connector<Body, Dialer<Script>>;

/// A server that answers what `answers` says.
fn in_memory(
    answers: impl Fn(&Peer, &Request) -> bool + Clone + Send + Sync + 'static,
) -> (InMemory, Dialer<Script>) {
    let dialer = Dialer::new(Script::new(move |mut peer: Peer| {
        let answers = answers.clone();
        async move {
            peer.settings([]).await?;
            peer.without_ping_acks();
            loop {
                let request = peer.request().await?;
                if answers(&peer, &request) {
                    peer.execute(&request)?;
                    peer.answer(&request, 200, "").await?;
                }
            }
        }
    }));
    let connector = Connector::new().dialer(dialer.clone());
    (connector.http(HttpVersion::H2c), dialer)
}

/// Calls and gives up after a time; says whether there was an answer.
async fn call(connector: &InMemory, url: &str, patience: Duration) -> bool {
    let answer = timeout(patience, send(connector, get(url))).await;
    calm().await;
    answer.is_ok_and(|answer| answer.is_ok())
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_has_gone_silent_is_left_after_a_few_calls() {
    let (connector, dialer) =
        in_memory(|peer, request| peer.connection() > 1 || request.stream == 1);
    assert!(call(&connector, URL, PATIENCE).await);
    for _ in 0..3 {
        assert!(!call(&connector, URL, PATIENCE).await);
    }
    assert!(call(&connector, URL, PATIENCE).await);
    assert_eq!(dialer.dialled(), 2);
    assert_eq!(connector.snapshot().streams(), 0);
}

/// Makes a call of so many attempts, each given up after a while; how many answers there were.
async fn attempts(connector: &InMemory, url: &str, attempts: usize) -> usize {
    let mut scope = Scope::begin();
    let mut answers = 0;
    for _ in 0..attempts {
        scope.run(|| update(|call| call.begin_attempt()));
        let mut attempt = pin!(call(connector, url, PATIENCE));
        let answer = poll_fn(|cx| scope.run(|| attempt.as_mut().poll(cx))).await;
        answers += usize::from(answer);
    }
    answers
}

#[tokio::test(start_paused = true)]
async fn a_later_attempt_of_a_call_avoids_a_connection_that_left_one_unanswered() {
    let (connector, dialer) = in_memory(|peer, _| peer.connection() > 1);
    assert_eq!(attempts(&connector, URL, 2).await, 1);
    assert_eq!(dialer.dialled(), 2);

    let (connector, dialer) = in_memory(|_, request| request.path == "/");
    assert_eq!(attempts(&connector, SILENT, 1).await, 0);
    assert!(call(&connector, URL, PATIENCE).await);
    assert_eq!(attempts(&connector, URL, 2).await, 2);
    assert_eq!(dialer.dialled(), 1, "it has answered since");
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_answers_in_between_stays() {
    let (connector, dialer) = in_memory(|_, request| request.path == "/");
    for _ in 0..5 {
        assert!(!call(&connector, SILENT, PATIENCE).await);
        assert!(!call(&connector, SILENT, PATIENCE).await);
        assert!(call(&connector, URL, PATIENCE).await);
    }
    assert_eq!(dialer.dialled(), 1);
}

#[tokio::test(start_paused = true)]
async fn hasty_callers_say_nothing_of_a_connection() {
    let (connector, dialer) = in_memory(|_, request| request.path == "/");
    for _ in 0..20 {
        assert!(!call(&connector, SILENT, Duration::from_millis(50)).await);
    }
    assert!(call(&connector, URL, PATIENCE).await);
    assert_eq!(dialer.dialled(), 1);
}

#[tokio::test(start_paused = true)]
async fn with_pings_a_silent_connection_is_left_when_they_are_not_answered() {
    let (connector, dialer) = in_memory(|peer, _| peer.connection() > 1);
    let ping = Duration::from_millis(300);
    let connector = connector.keep_alive(ping, ping);
    let began = Instant::now();
    let error = send(&connector, get(URL)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Broken);
    assert!(call(&connector, URL, PATIENCE).await);
    assert!(began.elapsed() < Duration::from_secs(1));
    assert_eq!(dialer.dialled(), 2);
}

/// Servers count resets: 200 within 30 s is a common limit, after which they close the connection.
#[tokio::test(start_paused = true)]
async fn cancelled_calls_do_not_look_like_an_attack() {
    let (connector, dialer) = in_memory(|_, request| request.path == "/");
    for at in 0..2_000 {
        if at % 5 == 0 {
            assert!(!call(&connector, SILENT, Duration::from_millis(10)).await);
        } else {
            assert!(call(&connector, URL, PATIENCE).await);
        }
        sleep_until(Instant::now() + Duration::from_millis(10)).await;
    }
    let mut resets = HashMap::<usize, usize>::new();
    for (connection, ..) in dialer.log().resets() {
        *resets.entry(connection).or_default() += 1;
    }
    assert_eq!(resets.values().sum::<usize>(), 400);
    let most = resets.into_values().max().unwrap();
    assert!(most < 100, "{most}");
    assert!(dialer.dialled() < 10, "{}", dialer.dialled());
}

#[tokio::test(start_paused = true)]
async fn a_misdirected_request_retires_its_connection_before_the_answer_is_seen() {
    let dialer = Dialer::new(Script::new(|mut peer: Peer| async move {
        peer.settings([]).await?;
        loop {
            let request = peer.request().await?;
            let status = if peer.connection() == 1 { 421 } else { 200 };
            peer.answer(&request, status, "body").await?;
        }
    }));
    let connector = Connector::new()
        .dialer(dialer.clone())
        .http(HttpVersion::H2c);
    let first = send(&connector, get(URL)).await.unwrap();
    assert_eq!(first.status(), 421);
    let second = send(&connector, get(URL)).await.unwrap();
    assert_eq!(second.status(), 200);
    assert_eq!(read(first).await, "body");
    assert_eq!(dialer.dialled(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_asks_for_less_is_left_alone_for_a_while() {
    let dialer = Dialer::new(Script::new(|mut peer: Peer| async move {
        peer.settings([]).await?;
        let request = peer.request().await?;
        peer.answer(&request, 200, "").await?;
        if peer.connection() < 3 {
            let last = request.stream;
            peer.goaway(last, Code::ENHANCE_YOUR_CALM, "").await?;
        }
        peer.behave().await
    }));
    let connector = Connector::new()
        .dialer(dialer.clone())
        .http(HttpVersion::H2c);
    let began = Instant::now();
    for seconds in [0, 1, 3, 3] {
        assert!(call(&connector, URL, Duration::from_secs(3)).await);
        assert_eq!(began.elapsed().as_secs(), seconds);
    }
    assert_eq!(dialer.dialled(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_cannot_be_had_is_not_asked_for_at_every_call() {
    let dialer = Dialer::new(Script::new(|mut peer: Peer| async move {
        peer.settings([(Setting::MAX_CONCURRENT_STREAMS, 1)])
            .await?;
        peer.silence().await
    }));
    let dials = Arc::new(AtomicUsize::new(0));
    let connector = Connector::new()
        .http(HttpVersion::H2c)
        .dialer({
            let (dialer, dials) = (dialer.clone(), Arc::clone(&dials));
            tower::service_fn(move |uri: Uri| {
                let first = dials.fetch_add(1, Ordering::Relaxed) == 0;
                let dialer = dialer.clone();
                async move {
                    match first {
                        true => dialer.oneshot(uri).await,
                        false => Err(io::ErrorKind::ConnectionRefused.into()),
                    }
                }
            })
        })
        .acquire_timeout(Duration::from_millis(100));
    let _held = parked(&connector, get(URL));
    calm().await;
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(10) {
        let error = send(&connector, get(URL)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AcquireTimeout);
    }
    // The waits between them double: 1, 2, 4, 8 s.
    assert_eq!(dials.load(Ordering::Relaxed), 1 + 4);
}
