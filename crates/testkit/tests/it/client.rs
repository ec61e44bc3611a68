//! A real HTTP/2 client: hyper's connection, driven by a task of its own.

use std::net::SocketAddr;

use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use outrigger_testkit::Body;
use tokio::{net::TcpStream, task::JoinHandle};

pub(crate) fn builder() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder.timer(TokioTimer::new());
    builder
}

pub(crate) async fn connect(
    addr: SocketAddr,
) -> (SendRequest<Body>, JoinHandle<hyper::Result<()>>) {
    let socket = TcpStream::connect(addr).await.unwrap();
    let (sender, connection) = builder().handshake(TokioIo::new(socket)).await.unwrap();
    (sender, tokio::spawn(connection))
}

pub(crate) fn get(path: &str) -> http::Request<Body> {
    http::Request::get(format!("http://testkit{path}"))
        .body(Body::empty())
        .unwrap()
}

pub(crate) fn post(path: &str, body: impl Into<Body>) -> http::Request<Body> {
    http::Request::post(format!("http://testkit{path}"))
        .body(body.into())
        .unwrap()
}

/// Finds what a chain of sources ends in, or passes by.
pub(crate) fn find<'a, E: std::error::Error + 'static>(
    error: &'a (dyn std::error::Error + 'static),
) -> Option<&'a E> {
    std::iter::successors(Some(error), |error| error.source())
        .find_map(|error| error.downcast_ref())
}
