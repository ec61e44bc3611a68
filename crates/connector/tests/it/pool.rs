//! How calls share connections.

use std::collections::HashMap;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use outrigger_connector::{Connector, ErrorKind, HttpVersion};
use outrigger_core::Outcome;
use outrigger_core::call::{self, Dispatch, Scope};
use outrigger_testkit::Log;
use outrigger_testkit::raw::{Code, Entry, Event, Peer, Script, Setting};
use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};
use tower::ServiceExt;

use crate::support::memory::Dialer;
use crate::support::{Body, Piece, Scripted, calm, get, parked, read, send};

const URL: &str = "http://memory.test/";
const DELAY: Duration = Duration::from_millis(2);

type InMemory = Connector<Body, Dialer<Script>>;

fn in_memory(script: Script) -> (InMemory, Dialer<Script>) {
    let dialer = Dialer::new(script);
    let connector = Connector::new().dialer(dialer.clone());
    (connector.http(HttpVersion::H2c), dialer)
}

/// A server that says late that it allows so many streams, and answers after [`DELAY`].
fn slow(streams: u32) -> Script {
    Script::new(move |mut peer: Peer| async move {
        peer.wait(DELAY).await?;
        peer.settings([(Setting::MAX_CONCURRENT_STREAMS, streams)])
            .await?;
        loop {
            let mut batch = vec![peer.request().await?];
            peer.wait(DELAY).await?;
            while let Ok(request) = timeout(Duration::ZERO, peer.request()).await {
                batch.push(request?);
            }
            for request in batch {
                peer.execute(&request)?;
                peer.answer(&request, 200, "").await?;
            }
        }
    })
}

/// A server that answers nothing.
fn silent(streams: u32) -> Script {
    Script::new(move |mut peer: Peer| async move {
        peer.settings([(Setting::MAX_CONCURRENT_STREAMS, streams)])
            .await?;
        peer.silence().await
    })
}

/// The most streams that any connection had open at once, as the server saw it.
fn most_at_once(log: &Log<Entry>) -> usize {
    let mut open = HashMap::<usize, usize>::new();
    let mut most = 0;
    for entry in log.entries() {
        let open = open.entry(entry.connection).or_default();
        match entry.event {
            Event::Request(_) => *open += 1,
            Event::Executed(_) => *open -= 1,
            _ => {}
        }
        most = most.max(*open);
    }
    most
}

async fn burst(connector: &InMemory, calls: usize) -> Vec<Result<(), ErrorKind>> {
    let mut tasks = JoinSet::new();
    for _ in 0..calls {
        let connector = connector.clone();
        tasks.spawn(async move {
            let answer = send(&connector, get(URL)).await;
            answer.map(drop).map_err(|error| error.kind())
        });
    }
    tasks.join_all().await
}

#[tokio::test(start_paused = true)]
async fn a_cold_burst_opens_as_few_connections_as_its_streams_need() {
    for (streams, expected) in [(1000, 1), (512, 1), (256, 2), (10, 52)] {
        let (connector, dialer) = in_memory(slow(streams));
        let connector = connector.max_connections_per_endpoint(52);
        let answers = burst(&connector, 512).await;
        assert!(answers.iter().all(Result::is_ok), "{streams}");
        assert!(
            dialer.dialled() <= expected,
            "{streams}: {}",
            dialer.dialled()
        );
        assert!(most_at_once(&dialer.log()) <= streams as usize);
        assert_eq!(dialer.log().executed().len(), 512);
        assert_eq!(connector.snapshot().streams(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn one_connection_is_enough_where_no_more_are_allowed() {
    let (connector, dialer) = in_memory(slow(10));
    let connector = connector.max_connections_per_endpoint(1);
    let answers = burst(&connector, 512).await;
    assert!(answers.iter().all(Result::is_ok));
    assert_eq!((dialer.dialled(), most_at_once(&dialer.log())), (1, 10));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_allows_nothing_ends_in_the_acquire_timeout() {
    let (connector, dialer) = in_memory(silent(0));
    let mut calls = JoinSet::new();
    for _ in 0..100 {
        let connector = connector.clone();
        calls.spawn(timeout(Duration::from_secs(10), async move {
            let began = Instant::now();
            let error = send(&connector, get(URL)).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::AcquireTimeout);
            assert_eq!(began.elapsed().as_secs(), 3);
        }));
    }
    assert!(calls.join_all().await.iter().all(Result::is_ok));
    assert_eq!(dialer.dialled(), 4);
    assert_eq!(dialer.log().requests().len(), 0);
    let snapshot = connector.snapshot();
    assert_eq!((snapshot.waiting(), snapshot.streams()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_connect_outlives_the_call_that_began_it() {
    let gate = Arc::new(Semaphore::new(0));
    let (_, dialer) = in_memory(slow(10));
    let connector = Connector::new().http(HttpVersion::H2c).dialer({
        let (gate, dialer) = (Arc::clone(&gate), dialer.clone());
        tower::service_fn(move |uri: Uri| {
            let (gate, dialer) = (Arc::clone(&gate), dialer.clone());
            async move {
                let _open = gate.acquire().await;
                dialer.oneshot(uri).await
            }
        })
    });
    let leader = tokio::spawn(connector.clone().oneshot(get(URL)));
    let follower = tokio::spawn(connector.clone().oneshot(get(URL)));
    calm().await;
    assert_eq!(connector.snapshot().connecting(), 1);
    leader.abort();
    calm().await;
    assert_eq!(connector.snapshot().connecting(), 1);
    gate.add_permits(1);
    assert_eq!(follower.await.unwrap().unwrap().status(), 200);
    assert_eq!(dialer.dialled(), 1);
    assert_eq!(connector.snapshot().streams(), 0);
}

#[tokio::test(start_paused = true)]
async fn those_who_wait_for_a_connection_that_dies_get_another() {
    let (connector, dialer) = in_memory(Script::new(|mut peer: Peer| async move {
        if peer.connection() > 1 {
            peer.settings([]).await?;
            return peer.behave().await;
        }
        peer.settings([(Setting::MAX_CONCURRENT_STREAMS, 1)])
            .await?;
        peer.request().await?;
        peer.wait(DELAY).await?;
        peer.reset()
    }));
    let connector = connector.max_connections_per_endpoint(1);
    let answers = burst(&connector, 20).await;
    let broken = answers.iter().filter(|answer| answer.is_err());
    assert_eq!(broken.count(), 1, "the one that was on it");
    assert_eq!(dialer.dialled(), 2);
    assert_eq!(dialer.log().executed().len(), 19);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_takes_its_leave_finishes_what_it_has() {
    let go_on = Arc::new(Notify::new());
    let told = Arc::clone(&go_on);
    let (connector, dialer) = in_memory(Script::new(move |mut peer: Peer| {
        let told = Arc::clone(&told);
        async move {
            peer.settings([]).await?;
            if peer.connection() > 1 {
                return peer.behave().await;
            }
            let request = peer.request().await?;
            peer.head(&request, 200, &[], false).await?;
            peer.goaway(request.stream, Code::NO_ERROR, "").await?;
            told.notified().await;
            peer.data(&request, "all of it", true).await?;
            peer.close().await
        }
    }));
    let first = send(&connector, get(URL)).await.unwrap();
    calm().await;
    let snapshot = connector.snapshot();
    assert_eq!((snapshot.connections(), snapshot.draining()), (0, 1));
    send(&connector, get(URL)).await.unwrap();
    assert_eq!(dialer.dialled(), 2);
    go_on.notify_one();
    assert_eq!(read(first).await, "all of it");
    calm().await;
    assert_eq!(connector.snapshot().draining(), 0);
}

#[tokio::test(start_paused = true)]
async fn settings_that_lower_the_limit_hold_back_what_is_new() {
    let lower = Arc::new(Notify::new());
    let told = Arc::clone(&lower);
    let (connector, dialer) = in_memory(Script::new(move |mut peer: Peer| {
        let told = Arc::clone(&told);
        async move {
            peer.settings([(Setting::MAX_CONCURRENT_STREAMS, 3)])
                .await?;
            let requests = [
                peer.request().await?,
                peer.request().await?,
                peer.request().await?,
            ];
            told.notified().await;
            peer.settings([(Setting::MAX_CONCURRENT_STREAMS, 1)])
                .await?;
            for request in requests {
                peer.wait(DELAY).await?;
                peer.execute(&request)?;
                peer.answer(&request, 200, "").await?;
                told.notified().await;
            }
            peer.behave().await
        }
    }));
    let connector = connector.max_connections_per_endpoint(1);
    let mut calls = JoinSet::new();
    let mut call = || {
        let connector = connector.clone();
        calls.spawn(async move { send(&connector, get(URL)).await.unwrap() });
    };
    (0..3).for_each(|_| call());
    dialer
        .log()
        .wait_until(|log| log.requests().len() == 3)
        .await;
    lower.notify_one();
    calm().await;
    (0..3).for_each(|_| call());
    calm().await;
    // hyper would hold them back too, where nobody sees them.
    for done in 1..=3 {
        dialer
            .log()
            .wait_until(|log| log.executed().len() == done)
            .await;
        calm().await;
        let snapshot = connector.snapshot();
        let expected = [(2, 3), (1, 3), (1, 2)][done - 1];
        assert_eq!((snapshot.streams(), snapshot.waiting()), expected);
        lower.notify_one();
    }
    calls.join_all().await;
    assert!(dialer.log().executed().len() >= 3);
}

#[tokio::test(start_paused = true)]
async fn idle_connections_of_other_hosts_make_room() {
    let (connector, dialer) = in_memory(slow(10));
    let connector = connector.max_connections(2);
    for host in ["a", "b", "c", "a", "d"] {
        let url = format!("http://{host}.test/");
        send(&connector, get(&url)).await.unwrap();
        let snapshot = connector.snapshot();
        assert!(snapshot.connections() + snapshot.draining() <= 2);
    }
    assert_eq!(dialer.dialled(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_host_without_a_connection_is_not_starved_by_busy_ones_for_ever() {
    let (connector, _) = in_memory(silent(10));
    let connector = connector.max_connections(1);
    let busy = parked(&connector, get("http://a.test/"));
    calm().await;
    let error = send(&connector, get("http://b.test/")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AcquireTimeout);
    drop(busy);
    calm().await;
    let _place = parked(&connector, get("http://b.test/"));
    calm().await;
    let snapshot = connector.snapshot();
    assert_eq!((snapshot.connections(), snapshot.streams()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_host_with_many_busy_connections_gives_one_to_a_host_with_none() {
    // One answer after the other, two streams at a time: a connection never falls idle.
    let (connector, dialer) = in_memory(Script::new(|mut peer: Peer| async move {
        peer.settings([(Setting::MAX_CONCURRENT_STREAMS, 2)])
            .await?;
        loop {
            let request = peer.request().await?;
            peer.wait(DELAY).await?;
            peer.execute(&request)?;
            peer.answer(&request, 200, "").await?;
        }
    }));
    let connector = connector.max_connections(4).max_connections_per_endpoint(4);
    let mut busy = JoinSet::new();
    for _ in 0..16 {
        let connector = connector.clone();
        busy.spawn(async move {
            for _ in 0..50 {
                send(&connector, get("http://a.test/")).await.unwrap();
            }
        });
    }
    dialer
        .log()
        .wait_until(|log| log.executed().len() > 16)
        .await;
    assert_eq!(connector.snapshot().connections(), 4);
    let began = Instant::now();
    send(&connector, get("http://b.test/")).await.unwrap();
    assert!(began.elapsed() < DELAY * 10, "{:?}", began.elapsed());
    busy.join_all().await;
}

#[tokio::test(start_paused = true)]
async fn those_who_wait_longest_come_first_whatever_their_host() {
    let (connector, dialer) = in_memory(slow(1));
    let connector = connector.max_connections(1);
    let mut calls = JoinSet::new();
    for (host, number) in [("a", 5), ("b", 1), ("a", 5)] {
        for _ in 0..number {
            let request = get(format!("http://{host}.test/"));
            let connector = connector.clone();
            calls.spawn(async move { drop(send(&connector, request).await.unwrap()) });
        }
    }
    calls.join_all().await;
    let executed = dialer.log().executed();
    let order: Vec<_> = executed.iter().map(|request| &*request.authority).collect();
    let (a, b) = ("a.test", "b.test");
    assert_eq!(order, [a, a, a, a, a, b, a, a, a, a, a]);
}

#[tokio::test(start_paused = true)]
async fn an_early_answer_leaves_its_place_taken_while_the_upload_goes_on() {
    let (_, dialer) = in_memory(Script::new(|mut peer: Peer| async move {
        peer.settings([(Setting::MAX_CONCURRENT_STREAMS, 1)])
            .await?;
        peer.without_window_updates();
        let request = peer.request().await?;
        peer.answer(&request, 413, "").await?;
        peer.silence().await
    }));
    let connector = Connector::new()
        .dialer(dialer.clone())
        .http(HttpVersion::H2c)
        .max_connections_per_endpoint(1);
    let request = |body| http::Request::post(URL).body(body).unwrap();
    let upload = Scripted::new([Piece::Data("some"), Piece::Stall]);
    let response = connector.clone().oneshot(request(upload)).await.unwrap();
    assert_eq!(response.status(), 413);
    drop(response);
    calm().await;
    assert_eq!(
        connector.snapshot().streams(),
        1,
        "h2 still counts the stream"
    );
    let error = connector
        .clone()
        .oneshot(request(Scripted::default()))
        .await;
    assert_eq!(error.unwrap_err().kind(), ErrorKind::AcquireTimeout);
    assert_eq!(dialer.log().requests().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_call_learns_when_its_request_is_handed_over() {
    let (connector, _) = in_memory(slow(1));
    let connector = connector.max_connections_per_endpoint(1);
    let _held = parked(&connector, get(URL));
    calm().await;

    let mut scope = Scope::join();
    let mut service = connector.clone();
    let began = Instant::now();
    let mut future = scope.run(|| tower::Service::call(&mut service, get(URL)));
    let dispatch = scope.run(|| call::current().unwrap().dispatch());
    assert_eq!(dispatch, Dispatch::Waiting);
    let answer = std::future::poll_fn(|cx| scope.run(|| std::pin::Pin::new(&mut future).poll(cx)));
    answer.await.unwrap();
    let dispatch = scope.run(|| call::current().unwrap().dispatch());
    let Dispatch::Sent(at) = dispatch else {
        panic!("{dispatch:?}");
    };
    assert!(at > began && at < Instant::now());
}

#[tokio::test]
async fn a_dialer_that_never_ends_holds_nobody_longer_than_the_connect_timeout() {
    tokio::time::pause();
    let connector = Connector::<Body>::new().dialer(tower::service_fn(|_: Uri| async {
        pending::<Result<crate::support::memory::Pipe, std::io::Error>>().await
    }));
    let began = Instant::now();
    let error = send(&connector, get(URL)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectTimeout);
    assert_eq!(began.elapsed().as_secs(), 3);
    assert_eq!(connector.snapshot().endpoints.len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_never_sends_settings_holds_nobody_longer_than_the_connect_timeout() {
    let (connector, dialer) = in_memory(Script::new(|mut peer: Peer| async move {
        if peer.connection() > 1 {
            peer.settings([]).await?;
            return peer.behave().await;
        }
        peer.silence().await
    }));
    let began = Instant::now();
    let calls: Vec<_> = (0..10)
        .map(|_| tokio::spawn(connector.clone().oneshot(get(URL))))
        .collect();
    calm().await;
    let snapshot = connector.snapshot();
    assert_eq!((snapshot.connections(), snapshot.connecting()), (0, 1));
    assert_eq!((snapshot.waiting(), snapshot.streams()), (10, 0));
    for call in calls {
        let error = call.await.unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectTimeout);
        assert_eq!(error.fault().outcome, Outcome::Unsent);
        assert_eq!(began.elapsed(), Duration::from_secs(3));
    }
    assert_eq!(dialer.log().requests().len(), 0, "nothing was sent");
    send(&connector, get(URL)).await.unwrap();
    assert_eq!(dialer.dialled(), 2);
}

#[tokio::test(start_paused = true)]
async fn all_parts_of_a_connect_share_one_timeout() {
    let (_, silent) = in_memory(Script::new(
        |mut peer: Peer| async move { peer.silence().await },
    ));
    let connector = Connector::new()
        .http(HttpVersion::H2c)
        .dialer(tower::service_fn(move |uri: Uri| {
            let silent = silent.clone();
            async move {
                sleep_until(Instant::now() + Duration::from_secs(2)).await;
                silent.oneshot(uri).await
            }
        }));
    let began = Instant::now();
    let error = send(&connector, get(URL)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectTimeout);
    assert_eq!(began.elapsed(), Duration::from_secs(3));
}

#[test]
fn a_connector_goes_anywhere() {
    fn anywhere<T: Clone + Send + Sync + 'static>() {}
    fn body<T: Default + Unpin + Send + Sync + 'static>() {}
    anywhere::<Connector<Body>>();
    anywhere::<InMemory>();
    body::<outrigger_connector::ConnBody>();
}
