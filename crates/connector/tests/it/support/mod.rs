pub(crate) mod http1;
pub(crate) mod tls;

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use outrigger_connector::{ConnBody, Connector, ConnectorError, HttpVersion};
use tower::ServiceExt;

pub(crate) type Body = Full<Bytes>;

pub(crate) fn h2c() -> Connector<Body> {
    Connector::new().http(HttpVersion::H2c)
}

pub(crate) fn get(url: impl AsRef<str>) -> Request<Body> {
    Request::get(url.as_ref()).body(Body::default()).unwrap()
}

pub(crate) async fn send(
    connector: &Connector<Body>,
    request: Request<Body>,
) -> Result<Response<ConnBody>, ConnectorError> {
    connector.clone().oneshot(request).await
}

pub(crate) async fn read(response: Response<ConnBody>) -> Bytes {
    response.into_body().collect().await.unwrap().to_bytes()
}

/// A call that waits for its answer in the background, until it is dropped.
pub(crate) fn parked(connector: &Connector<Body>, request: Request<Body>) -> Parked {
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

/// A body that yields these pieces and then fails.
pub(crate) fn broken(pieces: &[&'static str]) -> Broken {
    Broken(VecDeque::from_iter(pieces.iter().copied()))
}

pub(crate) struct Broken(VecDeque<&'static str>);

impl http_body::Body for Broken {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<io::Result<http_body::Frame<Bytes>>>> {
        Poll::Ready(Some(match self.0.pop_front() {
            Some(piece) => Ok(http_body::Frame::data(Bytes::from_static(piece.as_bytes()))),
            None => Err(io::Error::other("the caller's words")),
        }))
    }
}
