pub(crate) mod http1;
pub(crate) mod memory;
pub(crate) mod proxy;
pub(crate) mod tls;

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, Full};
use outrigger_connector::{ConnBody, Connector, ConnectorError, Dial, HttpVersion};
use tokio::time::{Instant, Sleep, sleep_until};
use tower::ServiceExt;

pub(crate) type Body = Full<Bytes>;

pub(crate) fn h2c() -> Connector<Body> {
    Connector::new().http(HttpVersion::H2c)
}

pub(crate) fn get(url: impl AsRef<str>) -> Request<Body> {
    Request::get(url.as_ref()).body(Body::default()).unwrap()
}

pub(crate) async fn send<D>(
    connector: &Connector<Body, D>,
    request: Request<Body>,
) -> Result<Response<ConnBody>, ConnectorError>
where
    D: Dial + Clone + Send + 'static,
{
    connector.clone().oneshot(request).await
}

pub(crate) async fn read(response: Response<ConnBody>) -> Bytes {
    response.into_body().collect().await.unwrap().to_bytes()
}

/// A call that waits for its answer in the background, until it is dropped.
pub(crate) fn parked<D>(connector: &Connector<Body, D>, request: Request<Body>) -> Parked
where
    D: Dial + Clone + Send + 'static,
{
    let connector = connector.clone();
    Parked(tokio::spawn(async move {
        drop(send(&connector, request).await);
    }))
}

pub(crate) struct Parked(tokio::task::JoinHandle<()>);

impl Drop for Parked {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A body that does what it is told, piece by piece.
#[derive(Default)]
pub(crate) struct Scripted {
    pieces: VecDeque<Piece>,
    pause: Option<Pin<Box<Sleep>>>,
}

#[derive(Clone, Copy)]
pub(crate) enum Piece {
    Data(&'static str),
    Fail,
    Stall,
    Pause(Duration),
}

impl Scripted {
    pub(crate) fn new(pieces: impl IntoIterator<Item = Piece>) -> Self {
        Self {
            pieces: pieces.into_iter().collect(),
            pause: None,
        }
    }
}

impl http_body::Body for Scripted {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if let Some(pause) = &mut self.pause {
            ready!(pause.as_mut().poll(cx));
            self.pause = None;
        }
        match self.pieces.pop_front() {
            None => Poll::Ready(None),
            Some(Piece::Data(text)) => {
                let data = Bytes::from_static(text.as_bytes());
                Poll::Ready(Some(Ok(Frame::data(data))))
            }
            Some(Piece::Fail) => Poll::Ready(Some(Err(io::Error::other("the caller's words")))),
            Some(Piece::Stall) => {
                self.pieces.push_front(Piece::Stall);
                Poll::Pending
            }
            Some(Piece::Pause(time)) => {
                self.pause = Some(Box::pin(sleep_until(Instant::now() + time)));
                self.poll_frame(cx)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.pieces.is_empty()
    }
}

/// Lets everything happen that can happen without time.
pub(crate) async fn calm() {
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
}
