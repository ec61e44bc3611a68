//! The wire knows nothing of the bodies that the layers wrap: over real sockets, what hyper sends of a
//! wrapped body is what it sends of the body itself.

use std::convert::Infallible;
use std::future::{Ready, ready};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, header};
use http_body::Body;
use http_body_util::channel::Channel;
use http_body_util::{BodyExt, Empty, Full};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use outrigger_core::BoxError;
use outrigger_testkit::Server;
use outrigger_testkit::raw::{Code, Frame, Script, Setting};
use outrigger_timeout::{DeadlineLayer, Phase, RequestBody, TimeoutLayer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tower::{Layer, ServiceExt};

use super::support::*;

type Payload = http_body_util::combinators::UnsyncBoxBody<Bytes, BoxError>;

type Make = fn() -> Payload;

/// The bodies of the matrix, each with a name.
fn bodies() -> Vec<(&'static str, Make)> {
    fn boxed<B>(body: B) -> Payload
    where
        B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        body.map_err(Into::into).boxed_unsync()
    }
    fn trailers() -> Ready<Option<Result<HeaderMap, Infallible>>> {
        let etag = (header::ETAG, "x".parse().unwrap());
        ready(Some(Ok(HeaderMap::from_iter([etag]))))
    }
    vec![
        ("empty", || boxed(Empty::new())),
        ("full", || boxed(Full::from("whole"))),
        ("full with trailers", || {
            boxed(Full::from("whole").with_trailers(trailers()))
        }),
        ("stream", || {
            let (mut sender, body) = Channel::<Bytes, Infallible>::new(2);
            for piece in ["one", "two"] {
                let frame = http_body::Frame::data(Bytes::from(piece));
                sender.try_send(frame).unwrap();
            }
            boxed(body)
        }),
    ]
}

/// What a connection put on the wire.
type Seen = Vec<String>;

/// What hyper writes for this request over HTTP/1.1: the head and the body, whole.
async fn over_http1<B>(request: Request<B>) -> Result<Seen, BoxError>
where
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let socket = TcpStream::connect(listener.local_addr()?).await?;
    let server = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await?;
        let mut written = Vec::new();
        while !is_whole(&written) {
            socket.read_buf(&mut written).await?;
        }
        socket.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await?;
        Ok::<_, std::io::Error>(String::from_utf8_lossy(&written).into_owned())
    });
    let (mut sender, connection) = http1::handshake(TokioIo::new(socket)).await?;
    tokio::spawn(connection);
    sender.send_request(request).await?;
    Ok(vec![server.await??])
}

/// Whether a request over HTTP/1.1 has come to its end.
fn is_whole(written: &[u8]) -> bool {
    let text = String::from_utf8_lossy(written);
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    if head.contains("transfer-encoding: chunked") {
        return body.ends_with("\r\n\r\n") && body.contains("0\r\n");
    }
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    body.len() == length.map_or(0, |length| length.parse().unwrap())
}

/// What hyper writes for this request over HTTP/2: the frames of its stream.
async fn over_http2<B>(request: Request<B>) -> Result<Seen, BoxError>
where
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + Unpin + 'static,
{
    let server = Server::bind(Script::new(|mut peer| async move {
        peer.settings([(Setting::MAX_CONCURRENT_STREAMS, 10)])
            .await?;
        let request = peer.request().await?;
        peer.body(&request).await?;
        peer.answer(&request, 204, "").await?;
        peer.close().await
    }))
    .await?;
    let socket = TcpStream::connect(server.addr()).await?;
    let handshake = http2::handshake(TokioExecutor::new(), TokioIo::new(socket));
    let (mut sender, connection) = handshake.await?;
    tokio::spawn(connection);
    sender.send_request(request).await?;
    let of_stream = |(_, frame)| match frame {
        Frame::Data { .. } | Frame::Headers { .. } => Some(format!("{frame:?}")),
        _ => None,
    };
    let frames = server.log().frames().into_iter().filter_map(of_stream);
    Ok(frames.collect())
}

fn post<B>(body: B) -> Request<B> {
    let request = Request::post("http://upstream/").header(header::HOST, "upstream");
    request.body(body).unwrap()
}

/// A request as it comes out of the layer below.
async fn sent(body: Payload) -> Request<RequestBody<Payload>> {
    let (noted, mut note) = mpsc::channel(1);
    let service = tower::service_fn(move |request: Request<RequestBody<Payload>>| {
        noted.try_send(request).unwrap();
        ready(Ok::<_, BoxError>(Response::new(())))
    });
    TimeoutLayer::default()
        .layer(service)
        .oneshot(post(body))
        .await
        .unwrap();
    note.recv().await.unwrap()
}

/// A response's body, wrapped by both layers as they wrap it.
async fn answered(body: Payload) -> impl Body<Data = Bytes, Error = BoxError> + Send + Unpin {
    let stack = (DeadlineLayer::default().body(true), TimeoutLayer::default());
    let answer = stack
        .layer(answers_with(body))
        .oneshot(post(Empty::<Bytes>::new()));
    answer.await.unwrap().into_body()
}

#[tokio::test]
async fn bodies_on_http1_are_as_they_were() {
    for (name, body) in bodies() {
        let bare = over_http1(post(body())).await.unwrap();
        assert!(bare[0].starts_with("POST "), "{name}: {bare:?}");
        let wrapped = over_http1(sent(body()).await).await.unwrap();
        assert_eq!(wrapped, bare, "{name}, of a request");
        let wrapped = over_http1(post(answered(body()).await)).await.unwrap();
        assert_eq!(wrapped, bare, "{name}, of a response");
    }
}

#[tokio::test]
async fn bodies_on_http2_are_as_they_were() {
    for (name, body) in bodies() {
        let bare = over_http2(post(body())).await.unwrap();
        assert!(bare[0].starts_with("Headers "), "{name}: {bare:?}");
        let wrapped = over_http2(sent(body()).await).await.unwrap();
        assert_eq!(wrapped, bare, "{name}, of a request");
        let wrapped = over_http2(post(answered(body()).await)).await.unwrap();
        assert_eq!(wrapped, bare, "{name}, of a response");
    }
}

#[tokio::test]
async fn an_upload_that_stalls_on_http2_elapses_and_is_reset() {
    let server = Server::bind(Script::new(|mut peer| async move {
        peer.without_window_updates();
        peer.settings([(Setting::MAX_CONCURRENT_STREAMS, 10)])
            .await?;
        peer.silence().await
    }))
    .await
    .unwrap();
    let socket = TcpStream::connect(server.addr()).await.unwrap();
    let handshake = http2::handshake(TokioExecutor::new(), TokioIo::new(socket));
    let (sender, connection) = handshake.await.unwrap();
    tokio::spawn(connection);
    let service = tower::service_fn(move |request| sender.clone().send_request(request));

    // More than the window of 65,535 bytes (RFC 9113 §6.9.2), in pieces.
    let (mut pieces, body) = Channel::<Bytes, Infallible>::new(20);
    for _ in 0..20 {
        let piece = http_body::Frame::data(Bytes::from_static(&[0; 8_192]));
        pieces.try_send(piece).unwrap();
    }
    let layer = TimeoutLayer::default().write_idle(200 * MS);
    let (result, took) = timed(layer.layer(service).oneshot(post(body))).await;
    assert_eq!(elapsed(result).0, Phase::WriteIdle);
    assert!(took < 5 * SECOND, "{took:?}");

    // The connection lives: what was given up is reset, and the server may go on with the others.
    let cancelled = [(1, 1, Code(8))];
    server
        .log()
        .wait_until(|log| log.resets() == cancelled)
        .await;
}
