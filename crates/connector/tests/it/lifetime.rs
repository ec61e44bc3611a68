//! How long connections live.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::{Connected, Connection};
use outrigger_connector::{Connector, HttpVersion, Snapshot};
use outrigger_testkit::raw::{Event, Peer, Script};
use tokio::time::{Instant, sleep_until};
use tower::ServiceExt;

use crate::support::memory::{Dialer, Pipe};
use crate::support::{Body, calm, get, http1, read, send};

const URL: &str = "http://memory.test/";
const SECOND: Duration = Duration::from_secs(1);

type InMemory = Connector<Body, Dialer<Script>>;

/// A server that answers in two pieces, the second after so long.
fn in_memory(pause: Duration) -> (InMemory, Dialer<Script>) {
    let dialer = Dialer::new(Script::new(move |mut peer: Peer| async move {
        peer.settings([]).await?;
        loop {
            let request = peer.request().await?;
            peer.head(&request, 200, &[], false).await?;
            peer.wait(pause).await?;
            peer.data(&request, "done", true).await?;
        }
    }));
    let connector = Connector::new().dialer(dialer.clone());
    (connector.http(HttpVersion::H2c), dialer)
}

async fn pass(time: Duration) {
    sleep_until(Instant::now() + time).await;
    calm().await;
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_closed_when_its_time_is_up() {
    let (connector, dialer) = in_memory(Duration::ZERO);
    read(send(&connector, get(URL)).await.unwrap()).await;
    pass(SECOND * 60).await;
    read(send(&connector, get(URL)).await.unwrap()).await;
    pass(SECOND * 85).await;
    assert_eq!(connector.snapshot().connections(), 1);
    pass(SECOND * 10).await;
    assert_eq!(connector.snapshot(), Snapshot::default());
    let ended = |log: &outrigger_testkit::Log<_>| {
        let entries: Vec<outrigger_testkit::raw::Entry> = log.entries();
        matches!(
            entries.last().map(|entry| &entry.event),
            Some(Event::Ended(_))
        )
    };
    assert!(ended(&dialer.log()), "the server saw it close");
    assert_eq!(dialer.dialled(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_carries_a_call_is_not_idle() {
    let (connector, dialer) = in_memory(SECOND * 300);
    let response = send(&connector, get(URL)).await.unwrap();
    assert_eq!(read(response).await, "done");
    assert_eq!(
        (connector.snapshot().connections(), dialer.dialled()),
        (1, 1)
    );
}

#[tokio::test(start_paused = true)]
async fn an_idle_http1_connection_is_closed_when_its_time_is_up() {
    let server = http1::Server::bind(|mut exchange| async move {
        while exchange.request().await.is_some() {
            exchange.answer("200 OK", "").await;
        }
    })
    .await;
    let connector = Connector::<Body>::new().idle_expiry(SECOND);
    send(&connector, get(server.url("/"))).await.unwrap();
    while connector.snapshot() != Snapshot::default() {
        pass(SECOND).await;
    }
    send(&connector, get(server.url("/"))).await.unwrap();
    assert_eq!(server.connections(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_old_connection_takes_no_calls_and_finishes_what_it_has() {
    let mut ages = Vec::new();
    for _ in 0..10 {
        let (connector, dialer) = in_memory(SECOND * 200);
        let connector = connector.max_age(SECOND * 100);
        let began = Instant::now();
        let response = send(&connector, get(URL)).await.unwrap();
        while connector.snapshot().draining() == 0 {
            sleep_until(Instant::now() + SECOND).await;
        }
        ages.push(began.elapsed());
        drop(send(&connector, get(URL)).await.unwrap());
        assert_eq!(dialer.dialled(), 2);
        assert_eq!(read(response).await, "done");
        calm().await;
        assert_eq!(connector.snapshot().draining(), 0);
    }
    ages.sort();
    let (youngest, oldest) = (ages[0], ages[ages.len() - 1]);
    assert!(youngest >= SECOND * 80 && oldest <= SECOND * 121);
    assert!(oldest - youngest > SECOND * 2, "not all at once");
}

/// A transport whose end is never confirmed.
struct Stuck(Pipe);

impl Connection for Stuck {
    fn connected(&self) -> Connected {
        self.0.connected()
    }
}

impl Read for Stuck {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl Write for Stuck {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }
}

#[tokio::test(start_paused = true)]
async fn a_socket_that_does_not_close_is_closed_by_force() {
    let (_, dialer) = in_memory(Duration::ZERO);
    let connector = Connector::new()
        .http(HttpVersion::H2c)
        .dialer(tower::service_fn(move |uri: Uri| {
            let dialer = dialer.clone();
            async move { dialer.oneshot(uri).await.map(Stuck) }
        }))
        .max_age(SECOND * 10);
    read(send(&connector, get(URL)).await.unwrap()).await;
    pass(SECOND * 13).await;
    let snapshot = connector.snapshot();
    assert_eq!((snapshot.connections(), snapshot.draining()), (0, 1));
    pass(SECOND * 10).await;
    assert_eq!(connector.snapshot(), Snapshot::default());
}
