//! Ways to send requests to one server over HTTP/2.

use std::future::Future;
use std::net::SocketAddr;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use outrigger_connector::{Connector, HttpVersion};
use outrigger_retry::ReplayBody;
use outrigger_timeout::RequestBody;
use tokio::net::TcpStream;
use tower::ServiceExt;

use crate::get;
use crate::stack::Stack;

/// A request's body.
pub type Body = Empty<Bytes>;

/// Sends requests, and reads their answers to the end.
pub trait Transport: Clone + 'static {
    /// Whether there was an answer to the request, read to its end.
    fn send(self, request: Request<Body>) -> impl Future<Output = bool>;
}

/// The connector over plain TCP.
pub fn ours<B>(connections: usize) -> Connector<B> {
    Connector::new()
        .http(HttpVersion::H2c)
        .max_connections_per_endpoint(connections)
}

impl Transport for Connector<Body> {
    async fn send(self, request: Request<Body>) -> bool {
        let Ok(response) = self.oneshot(request).await else {
            return false;
        };
        response.into_body().collect().await.is_ok()
    }
}

/// All layers over the connector.
pub type Layered = Stack<Connector<RequestBody<ReplayBody<Body>>>>;

impl Transport for Layered {
    async fn send(self, request: Request<Body>) -> bool {
        let Ok(response) = self.oneshot(request).await else {
            return false;
        };
        response.into_body().collect().await.is_ok()
    }
}

/// hyper-util's client over plain TCP, with prior knowledge of HTTP/2.
pub fn hyper_util() -> Client<HttpConnector, Body> {
    let mut tcp = HttpConnector::new();
    tcp.set_nodelay(true);
    Client::builder(TokioExecutor::new())
        .http2_only(true)
        .build(tcp)
}

impl Transport for Client<HttpConnector, Body> {
    async fn send(self, request: Request<Body>) -> bool {
        let Ok(response) = self.request(request).await else {
            return false;
        };
        response.into_body().collect().await.is_ok()
    }
}

/// A connection of hyper's, and nothing around it.
pub async fn bare(addr: SocketAddr) -> SendRequest<Body> {
    let socket = TcpStream::connect(addr).await.expect("a connection");
    socket.set_nodelay(true).expect("an option");
    let handshake = http2::handshake(TokioExecutor::new(), TokioIo::new(socket));
    let (sender, connection) = handshake.await.expect("a connection");
    tokio::spawn(connection);
    sender
}

impl Transport for SendRequest<Body> {
    async fn send(mut self, request: Request<Body>) -> bool {
        let Ok(response) = self.send_request(request).await else {
            return false;
        };
        response.into_body().collect().await.is_ok()
    }
}

/// The GET of the cost tables, to this server.
pub fn request(addr: SocketAddr) -> Request<Body> {
    let mut request = get();
    *request.uri_mut() = format!("http://{addr}/path?query=1")
        .parse()
        .expect("a uri");
    request
}
