//! Who gets a place, and when.

use std::sync::Arc;
use std::time::Duration;

use outrigger_connector::{Connector, ErrorKind, HttpVersion};
use outrigger_testkit::raw::{Peer, Script, Setting};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};
use tokio_test::{assert_pending, task};

use crate::support::memory::Dialer;
use crate::support::{Body, calm, get, parked, read, send};

const URL: &str = "http://memory.test/";
const SECOND: Duration = Duration::from_secs(1);

type InMemory = Connector<Body, Dialer<Script>>;

fn in_memory(script: Script) -> (InMemory, Dialer<Script>) {
    let dialer = Dialer::new(script);
    let connector = Connector::new().dialer(dialer.clone());
    let connector = connector.http(HttpVersion::H2c);
    (connector.max_connections_per_endpoint(1), dialer)
}

/// A server that takes one stream at a time.
fn narrow() -> Script {
    Script::new(|mut peer: Peer| async move {
        peer.settings([(Setting::MAX_CONCURRENT_STREAMS, 1)])
            .await?;
        loop {
            let request = peer.request().await?;
            peer.answer(&request, 200, "body").await?;
        }
    })
}

/// The call that was granted the place goes before it learns of it.
#[tokio::test(start_paused = true)]
async fn a_place_granted_to_a_call_that_has_gone_goes_to_the_next() {
    let (connector, dialer) = in_memory(narrow());
    let held = send(&connector, get(URL)).await.unwrap();
    let mut gone = task::spawn(send(&connector, get(URL)));
    assert_pending!(gone.poll());
    let next = tokio::spawn({
        let connector = connector.clone();
        async move { read(send(&connector, get(URL)).await.unwrap()).await }
    });
    calm().await;
    assert_eq!(connector.snapshot().waiting(), 2);
    read(held).await;
    assert!(gone.is_woken(), "it has the place");
    assert_eq!(connector.snapshot().waiting(), 1);
    drop(gone);
    assert_eq!(next.await.unwrap(), "body");
    assert_eq!(connector.snapshot().streams(), 0);
    assert_eq!(dialer.log().requests().len(), 2);
}

/// Nothing else happens on the connection that could wake anybody: hyper has no event for SETTINGS.
#[tokio::test(start_paused = true)]
async fn settings_that_raise_the_limit_wake_those_who_wait() {
    let raise = Arc::new(Notify::new());
    let told = Arc::clone(&raise);
    let (connector, dialer) = in_memory(Script::new(move |mut peer: Peer| {
        let told = Arc::clone(&told);
        async move {
            peer.settings([(Setting::MAX_CONCURRENT_STREAMS, 1)])
                .await?;
            peer.request().await?;
            told.notified().await;
            peer.settings([(Setting::MAX_CONCURRENT_STREAMS, 3)])
                .await?;
            peer.silence().await
        }
    }));
    let _calls: Vec<_> = (0..5).map(|_| parked(&connector, get(URL))).collect();
    calm().await;
    assert_eq!(connector.snapshot().waiting(), 4);
    raise.notify_one();
    calm().await;
    assert_eq!(dialer.log().requests().len(), 3);
    assert_eq!(connector.snapshot().waiting(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_connection_whose_first_call_goes_before_the_servers_settings_serves_the_others() {
    let begin = Arc::new(Notify::new());
    let told = Arc::clone(&begin);
    let (connector, dialer) = in_memory(Script::new(move |mut peer: Peer| {
        let told = Arc::clone(&told);
        async move {
            peer.preface().await?;
            told.notified().await;
            peer.settings([]).await?;
            peer.behave().await
        }
    }));
    let leader = parked(&connector, get(URL));
    calm().await;
    let follower = tokio::spawn({
        let connector = connector.clone();
        async move { send(&connector, get(URL)).await.unwrap() }
    });
    calm().await;
    assert_eq!(connector.snapshot().connecting(), 1);
    drop(leader);
    calm().await;
    begin.notify_one();
    assert_eq!(follower.await.unwrap().status(), 200);
    assert_eq!((dialer.dialled(), dialer.log().requests().len()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_waiting_calls_end_each_by_its_own_limit() {
    let (connector, dialer) = in_memory(Script::new(|mut peer: Peer| async move {
        peer.settings([(Setting::MAX_CONCURRENT_STREAMS, 1)])
            .await?;
        peer.silence().await
    }));
    let held = parked(&connector, get(URL));
    calm().await;
    let mut calls = JoinSet::new();
    let began = Instant::now();
    for id in 0..10_000 {
        let connector = connector.clone();
        calls.spawn(async move {
            let patience = [SECOND, 10 * SECOND][id % 2];
            match timeout(patience, send(&connector, get(URL))).await {
                Ok(answer) => (answer.unwrap_err().kind(), began.elapsed().as_secs()),
                Err(_) => (ErrorKind::Broken, began.elapsed().as_secs()),
            }
        });
    }
    calm().await;
    assert_eq!(connector.snapshot().waiting(), 10_000);
    let one_more = send(&connector, get(URL)).await.unwrap_err();
    assert_eq!(one_more.kind(), ErrorKind::QueueFull);
    for (kind, seconds) in calls.join_all().await {
        let end = [(ErrorKind::Broken, 1), (ErrorKind::AcquireTimeout, 3)];
        assert!(end.contains(&(kind, seconds)), "{kind:?} after {seconds} s");
    }
    let snapshot = connector.snapshot();
    assert_eq!((snapshot.waiting(), snapshot.streams()), (0, 1));
    assert_eq!((dialer.dialled(), dialer.log().requests().len()), (1, 1));
    drop(held);
}
