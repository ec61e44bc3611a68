//! A call dropped wherever it can be leaves nothing behind.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::Request;
use outrigger_connector::{Connector, HttpVersion, Snapshot};
use outrigger_testkit::raw::{Peer, Script, Setting};

use crate::support::memory::Dialer;
use crate::support::{Body, calm, read, send};

/// Polls a future so often and then lets go of it.
struct Impatient<F> {
    call: Pin<Box<F>>,
    polls: usize,
}

impl<F: Future> Future for Impatient<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if self.polls == 0 {
            return Poll::Ready(None);
        }
        self.polls -= 1;
        self.call.as_mut().poll(cx).map(Some)
    }
}

/// Answers each request in four frames, as many at once as `streams`.
fn server(streams: u32) -> Script {
    async fn serve(mut peer: Peer, streams: u32) -> io::Result<()> {
        peer.settings([(Setting::MAX_CONCURRENT_STREAMS, streams)])
            .await?;
        loop {
            let request = peer.request().await?;
            peer.body(&request).await?;
            peer.head(&request, 200, &[], false).await?;
            tokio::task::yield_now().await;
            peer.data(&request, "one", false).await?;
            tokio::task::yield_now().await;
            peer.data(&request, "two", false).await?;
            peer.trailers(&request, &[("x-end", "1")]).await?;
        }
    }
    Script::new(move |peer| serve(peer, streams))
}

fn post() -> Request<Body> {
    let body = Body::from(vec![1; 40_000]);
    Request::post("http://memory.test/").body(body).unwrap()
}

type InMemory = Connector<Body, Dialer<Script>>;

fn connector(streams: u32) -> InMemory {
    Connector::new()
        .dialer(Dialer::new(server(streams)))
        .http(HttpVersion::H2c)
        .max_connections_per_endpoint(1)
}

/// Drops a call after each number of polls, until one comes through; returns how many were dropped.
async fn drop_at_every_poll(
    prepare: impl AsyncFn() -> InMemory,
    expect: impl Fn(&Snapshot, &Snapshot),
) -> usize {
    for polls in 0..1000 {
        let connector = prepare().await;
        calm().await;
        let start = connector.snapshot();
        let call = async { read(send(&connector, post()).await.unwrap()).await };
        let call = Impatient {
            call: Box::pin(call),
            polls,
        };
        let came_through = call.await;
        calm().await;
        expect(&start, &connector.snapshot());
        let after = read(send(&connector, post()).await.unwrap()).await;
        assert_eq!(after, "onetwo", "after a call dropped at its poll {polls}");
        if let Some(body) = came_through {
            assert_eq!(body, "onetwo");
            return polls;
        }
    }
    panic!("the call never ends");
}

#[tokio::test(start_paused = true)]
async fn a_cold_call_leaves_no_more_than_an_idle_connection() {
    let dropped = drop_at_every_poll(
        async || connector(10),
        |start, end| {
            assert_eq!(*start, Snapshot::default());
            let counts = (
                end.streams(),
                end.waiting(),
                end.connecting(),
                end.draining(),
            );
            assert_eq!(counts, (0, 0, 0, 0));
            assert!(end.connections() <= 1);
        },
    );
    assert!(dropped.await > 3);
}

#[tokio::test(start_paused = true)]
async fn a_warm_call_leaves_every_counter_where_it_was() {
    let dropped = drop_at_every_poll(
        async || {
            let connector = connector(10);
            read(send(&connector, post()).await.unwrap()).await;
            connector
        },
        |start, end| assert_eq!(start, end),
    );
    assert!(dropped.await > 2);
}

#[tokio::test(start_paused = true)]
async fn a_waiting_call_leaves_its_place_in_the_queue() {
    let connector = connector(1);
    let held = send(&connector, post()).await.unwrap();
    let start = connector.snapshot();
    assert_eq!((start.streams(), start.waiting()), (1, 0));
    for polls in 0..4 {
        let waiting = |connector: &InMemory| {
            let connector = connector.clone();
            tokio::spawn(async move { read(send(&connector, post()).await.unwrap()).await })
        };
        let before = waiting(&connector);
        calm().await;
        let call = Impatient {
            call: Box::pin(send(&connector, post())),
            polls,
        };
        let last = waiting(&connector);
        tokio::select! {
            biased;
            _ = call => {}
            () = calm() => {}
        }
        calm().await;
        assert_eq!(connector.snapshot().waiting(), 2);
        before.abort();
        last.abort();
        calm().await;
        assert_eq!(connector.snapshot(), start);
    }
    read(held).await;
    assert_eq!(connector.snapshot().streams(), 0);
}
