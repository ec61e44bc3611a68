//! The stack by `oneshot` over every inner service that it is made for: our connector, hyper-util's
//! client, an axum router, a tonic channel; and inside tower's boxes and buffers.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::SocketAddr;

use axum::Router;
use axum::routing::post;
use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::{HeaderMap, HeaderName, Request, Response};
use http_body::Body;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use outrigger_connector::{Connector, HttpVersion};
use outrigger_request_id::{RequestIdLayer, X_REQUEST_ID};
use outrigger_retry::{ReplayBody, RetryLayer};
use outrigger_tests::echo::Line;
use outrigger_tests::echo::echo_client::EchoClient;
use outrigger_tests::echo::echo_server::{Echo, EchoServer};
use outrigger_timeout::{DeadlineLayer, RequestBody, TimeoutLayer};
use tokio::net::TcpListener;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tonic::transport::{Channel, Endpoint};
use tonic::{Status, Streaming};
use tower::layer::util::{Identity, Stack};
use tower::util::BoxCloneSyncService;
use tower::{BoxError, Layer, Service, ServiceBuilder, ServiceExt};
use tower_http::map_request_body::MapRequestBodyLayer;

type Layers =
    Stack<TimeoutLayer, Stack<RetryLayer, Stack<DeadlineLayer, Stack<RequestIdLayer, Identity>>>>;

/// The layers of today, outermost first.
fn layers() -> ServiceBuilder<Layers> {
    ServiceBuilder::new()
        .layer(RequestIdLayer::new())
        .layer(DeadlineLayer::default())
        .layer(RetryLayer::new())
        .layer(TimeoutLayer::default())
}

/// The length that the server was told.
const TOLD_LENGTH: HeaderName = HeaderName::from_static("told-length");

/// Answers with the length of the body it was told, the body, and the request's id.
fn app() -> Router {
    let echo = async |headers: HeaderMap, body: Bytes| {
        let mut answer = HeaderMap::new();
        for (told, name) in [(X_REQUEST_ID, X_REQUEST_ID), (TOLD_LENGTH, CONTENT_LENGTH)] {
            if let Some(value) = headers.get(name) {
                answer.insert(told, value.clone());
            }
        }
        (answer, body)
    };
    Router::new().route("/echo", post(echo))
}

/// Serves [`app`] over HTTP/1.1 and HTTP/2 until the test ends.
async fn upstream() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app()).await });
    address
}

fn request(authority: impl std::fmt::Display) -> Request<Full<Bytes>> {
    let uri = format!("http://{authority}/echo");
    Request::post(uri).body(Full::from("hello")).unwrap()
}

/// One call over the wire: its body arrives with its length.
async fn calls<S, R>(stack: S, authority: SocketAddr)
where
    S: Service<Request<Full<Bytes>>, Response = Response<R>>,
    S::Error: Into<BoxError> + std::fmt::Debug,
    R: Body<Error: std::fmt::Debug>,
{
    let answer = answer(stack, authority).await;
    assert_eq!(answer[TOLD_LENGTH], "5");
}

/// The answer's headers to one call: it has an id, and its body arrives whole.
async fn answer<S, R>(stack: S, authority: impl std::fmt::Display) -> HeaderMap
where
    S: Service<Request<Full<Bytes>>, Response = Response<R>>,
    S::Error: Into<BoxError> + std::fmt::Debug,
    R: Body<Error: std::fmt::Debug>,
{
    let response = stack.oneshot(request(authority)).await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()[X_REQUEST_ID].len(), 36);
    let (head, body) = response.into_parts();
    assert_eq!(body.collect().await.unwrap().to_bytes(), "hello");
    head.headers
}

#[tokio::test]
async fn over_the_connector_in_either_version() {
    let address = upstream().await;
    for version in [HttpVersion::H2c, HttpVersion::Http1] {
        let connector = Connector::new().http(version);
        let stack = layers().service(connector.clone());
        for _ in 0..2 {
            calls(stack.clone(), address).await;
        }
        assert_eq!(connector.snapshot().connections(), 1, "{version:?}");
    }
}

#[tokio::test]
async fn over_hyper_utils_client() {
    let client =
        Client::builder(TokioExecutor::new()).build_http::<RequestBody<ReplayBody<Full<Bytes>>>>();
    calls(layers().service(client), upstream().await).await;
}

#[tokio::test]
async fn over_an_axum_router() {
    answer(layers().service(app()), "in.memory").await;
}

#[tokio::test]
async fn inside_a_box_that_is_clone_send_and_sync() {
    let stack = layers().service(Connector::new().http(HttpVersion::H2c));
    let boxed = BoxCloneSyncService::new(stack);
    fn shared<T: Clone + Send + Sync + 'static>(_: &T) {}
    shared(&boxed);
    calls(boxed, upstream().await).await;
}

#[tokio::test]
async fn inside_a_buffer_and_over_one() {
    let address = upstream().await;
    let connector = Connector::new().http(HttpVersion::H2c);
    let inside = ServiceBuilder::new()
        .buffer(4)
        .service(layers().service(connector.clone()));
    calls(inside, address).await;
    let over = layers().buffer(4).service(connector);
    calls(over, address).await;
}

/// The echo service; each answer names the request's id.
struct Gossip;

type Lines = ReceiverStream<Result<Line, Status>>;

#[tonic::async_trait]
impl Echo for Gossip {
    async fn unary(&self, request: tonic::Request<Line>) -> Result<tonic::Response<Line>, Status> {
        let id = request.metadata().get(X_REQUEST_ID.as_str()).cloned();
        let mut response = tonic::Response::new(request.into_inner());
        if let Some(id) = id {
            response.metadata_mut().insert("x-request-id", id);
        }
        Ok(response)
    }

    async fn client_streaming(
        &self,
        request: tonic::Request<Streaming<Line>>,
    ) -> Result<tonic::Response<Line>, Status> {
        let mut lines = request.into_inner();
        let mut text = String::new();
        while let Some(line) = lines.message().await? {
            text.push_str(&line.text);
        }
        Ok(tonic::Response::new(Line { text }))
    }

    type ServerStreamingStream = Lines;

    async fn server_streaming(
        &self,
        request: tonic::Request<Line>,
    ) -> Result<tonic::Response<Lines>, Status> {
        let (words, stream) = tokio::sync::mpsc::channel(16);
        for word in request.into_inner().text.split(' ') {
            words.try_send(Ok(Line { text: word.into() })).unwrap();
        }
        Ok(tonic::Response::new(ReceiverStream::new(stream)))
    }

    type BidiStream = Lines;

    async fn bidi(
        &self,
        request: tonic::Request<Streaming<Line>>,
    ) -> Result<tonic::Response<Lines>, Status> {
        let (answers, stream) = tokio::sync::mpsc::channel(1);
        let mut lines = request.into_inner();
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.message().await {
                if answers.send(Ok(line)).await.is_err() {
                    return;
                }
            }
        });
        Ok(tonic::Response::new(ReceiverStream::new(stream)))
    }
}

async fn grpc_upstream() -> http::Uri {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri = format!("http://{}", listener.local_addr().unwrap());
    let server = tonic::transport::Server::builder().add_service(EchoServer::new(Gossip));
    tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
    uri.parse().unwrap()
}

fn line(text: &str) -> Line {
    Line { text: text.into() }
}

/// One call of each kind.
async fn talks<T>(mut client: EchoClient<T>)
where
    T: tonic::client::GrpcService<tonic::body::Body>,
    T::Error: Into<BoxError>,
    T::ResponseBody: Body<Data = Bytes> + Send + 'static,
    <T::ResponseBody as Body>::Error: Into<BoxError> + Send,
{
    let unary = client.unary(line("hello")).await.unwrap();
    assert_eq!(
        unary.metadata().get(X_REQUEST_ID.as_str()).unwrap().len(),
        36
    );
    assert_eq!(unary.into_inner().text, "hello");

    let lines = tokio_stream::iter(["a", "b", "c"].map(line));
    assert_eq!(
        client
            .client_streaming(lines)
            .await
            .unwrap()
            .into_inner()
            .text,
        "abc"
    );

    let words = client
        .server_streaming(line("one two three"))
        .await
        .unwrap();
    let words: Vec<_> = words
        .into_inner()
        .map(|word| word.unwrap().text)
        .collect()
        .await;
    assert_eq!(words, ["one", "two", "three"]);

    let (say, lines) = tokio::sync::mpsc::channel(1);
    let mut answers = client
        .bidi(ReceiverStream::new(lines))
        .await
        .unwrap()
        .into_inner();
    for text in ["ping", "pong"] {
        say.send(line(text)).await.unwrap();
        assert_eq!(
            answers.message().await.unwrap().unwrap().text,
            text,
            "live, each way"
        );
    }
    drop(say);
    assert_eq!(answers.message().await.unwrap(), None);
}

#[tokio::test]
async fn over_a_tonic_channel() {
    let channel: Channel = Endpoint::from(grpc_upstream().await).connect_lazy();
    let channel = MapRequestBodyLayer::new(tonic::body::Body::new).layer(channel);
    talks(EchoClient::new(layers().service(channel))).await;
}

#[tokio::test]
async fn as_a_tonic_transport_over_the_connector() {
    let connector = Connector::new().http(HttpVersion::H2c);
    let stack = layers().service(connector.clone());
    talks(EchoClient::with_origin(stack, grpc_upstream().await)).await;
    assert_eq!(connector.snapshot().connections(), 1);
}
