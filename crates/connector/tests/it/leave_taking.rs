//! Servers that take their leave.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use outrigger_connector::{Connector, ErrorKind, HttpVersion};
use outrigger_core::Outcome;
use outrigger_testkit::raw::{Code, Event, Peer, Script, Setting};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

use crate::support::memory::Dialer;
use crate::support::{Body, calm, get, send};

const URL: &str = "http://memory.test/";

type InMemory = Connector<Body, Dialer<Script>>;

fn in_memory(script: Script) -> (InMemory, Dialer<Script>) {
    let dialer = Dialer::new(script);
    let connector = Connector::new().dialer(dialer.clone());
    (connector.http(HttpVersion::H2c), dialer)
}

/// Makes so many calls, `at_once` of them at a time, as callers do who try again at once; returns what
/// all attempts ended with.
async fn traffic(connector: &InMemory, calls: usize, at_once: usize) -> Vec<Option<ErrorKind>> {
    let left = Arc::new(AtomicUsize::new(calls));
    let mut callers = JoinSet::new();
    for _ in 0..at_once {
        let (connector, left) = (connector.clone(), Arc::clone(&left));
        callers.spawn(async move {
            let mut ends = Vec::new();
            let one = |left: usize| left.checked_sub(1);
            let order = Ordering::Relaxed;
            while left.fetch_update(order, order, one).is_ok() {
                let end = timeout(Duration::from_secs(20), send(&connector, get(URL))).await;
                ends.push(end.expect("an end").err().map(|error| error.kind()));
            }
            ends
        });
    }
    callers.join_all().await.concat()
}

fn refused(ends: &[Option<ErrorKind>]) -> usize {
    let refused = ends.iter().flatten();
    refused
        .filter(|kind| **kind == ErrorKind::Unprocessed)
        .count()
}

/// A server may begin to leave by naming the highest stream there is (RFC 9113 §6.8): it takes all that
/// was sent before its leave is heard.
///
/// On two threads this is where hyper says of streams it has sent that the server refused them, and
/// where requests get stuck that are handed over as their connection ends.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_leaving_server_takes_is_never_said_to_be_refused_and_nothing_gets_stuck() {
    let (connector, dialer) = in_memory(Script::new(|mut peer: Peer| async move {
        peer.settings([]).await?;
        let first = peer.request().await?;
        peer.goaway(0x7fff_ffff, Code::NO_ERROR, "").await?;
        peer.answer(&first, 200, "").await?;
        loop {
            let request = peer.request().await?;
            peer.answer(&request, 200, "").await?;
        }
    }));
    let ends = traffic(&connector, 20_000, 16).await;
    assert_eq!((ends.len(), refused(&ends)), (20_000, 0));
    assert!(dialer.dialled() > 100, "{}", dialer.dialled());
}

/// Some servers end each connection after so many requests. What was sent above that is refused.
fn leaves_after(requests: u32) -> Script {
    Script::new(move |mut peer: Peer| async move {
        peer.settings([(Setting::MAX_CONCURRENT_STREAMS, 100)])
            .await?;
        let mut last = 0;
        for _ in 0..requests {
            let request = peer.request().await?;
            last = request.stream;
            peer.execute(&request)?;
            if last == 2 * requests - 1 {
                peer.goaway(last, Code::NO_ERROR, "").await?;
            }
            peer.answer(&request, 200, "").await?;
        }
        while peer.request().await?.stream > last {}
        Ok(())
    })
}

#[tokio::test(start_paused = true)]
async fn a_server_that_ends_connections_after_a_few_requests_is_soon_sent_no_more_than_it_takes() {
    let (connector, dialer) = in_memory(leaves_after(5));
    let ends = traffic(&connector, 1_000, 50).await;
    assert!(refused(&ends) < 50, "{}", refused(&ends));
    let ends = traffic(&connector, 1_000, 50).await;
    assert_eq!(ends, [None; 1_000]);
    let requests = dialer.log().requests().len();
    assert_eq!(dialer.log().executed().len() + 45, requests);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_left_early_once_is_trusted_again() {
    let (connector, dialer) = in_memory(Script::new(|mut peer: Peer| async move {
        peer.settings([(Setting::MAX_CONCURRENT_STREAMS, 100)])
            .await?;
        if peer.connection() == 1 {
            let request = peer.request().await?;
            peer.goaway(request.stream, Code::NO_ERROR, "").await?;
            peer.answer(&request, 200, "").await?;
        }
        // The second connection answers nothing for a while.
        let mut requests = Vec::new();
        while let Ok(request) = timeout(Duration::from_secs(5), peer.request()).await {
            requests.push(request?);
        }
        for request in requests {
            peer.answer(&request, 200, "").await?;
        }
        peer.behave().await
    }));
    let connector = connector.max_connections_per_endpoint(1);
    let ends = traffic(&connector, 20, 20).await;
    assert_eq!(refused(&ends), 19);
    let began = Instant::now();
    let calls = connector.clone();
    let calls = tokio::spawn(async move { traffic(&calls, 20, 20).await });
    calm().await;
    assert_eq!(connector.snapshot().waiting(), 19, "it may leave after one");
    sleep_until(began + Duration::from_secs(2)).await;
    assert_eq!(connector.snapshot().streams(), 20, "it has not");
    assert_eq!(calls.await.unwrap(), [None; 20]);
    assert!(began.elapsed() < Duration::from_secs(8));
    assert_eq!(dialer.dialled(), 2);
}

/// A peer that leaves before anything was sent to it is not asked over and over.
#[tokio::test]
async fn a_server_that_leaves_at_once_ends_in_bounded_attempts() {
    for settings in [false, true] {
        let (connector, dialer) = in_memory(Script::new(move |mut peer: Peer| async move {
            if settings {
                peer.settings([]).await?;
            }
            peer.goaway(0, Code::NO_ERROR, "").await?;
            peer.silence().await
        }));
        let calls = (0..20).map(|_| {
            let connector = connector.clone();
            tokio::spawn(async move { send(&connector, get(URL)).await })
        });
        for call in calls.collect::<Vec<_>>() {
            let ended = timeout(Duration::from_secs(20), call).await;
            let error = ended.unwrap().unwrap().unwrap_err();
            assert_eq!(error.fault().outcome, Outcome::Unsent);
        }
        assert!(dialer.dialled() <= 4 * 20, "{}", dialer.dialled());
        let requests = dialer.log().entries();
        let requests = requests
            .iter()
            .filter(|entry| matches!(entry.event, Event::Request(_)));
        assert_eq!(requests.count(), 0);
    }
}
