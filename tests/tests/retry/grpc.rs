//! gRPC calls of each kind, over our connector and over tonic's channel.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http_body::Body;
use outrigger_connector::{Connector, HttpVersion};
use outrigger_retry::{Idempotent, RetryLayer};
use outrigger_tests::echo::Line;
use outrigger_tests::echo::echo_client::EchoClient;
use outrigger_tests::echo::echo_server::{Echo, EchoServer};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tonic::client::GrpcService;
use tonic::transport::Endpoint;
use tonic::{Code, Request, Response, Status, Streaming};
use tower::{BoxError, Layer, ServiceBuilder};
use tower_http::map_request_body::MapRequestBodyLayer;

type Lines = ReceiverStream<Result<Line, Status>>;

/// A service that is unavailable for the first calls, and writes down each.
#[derive(Clone, Default)]
struct Flaky {
    failures: usize,
    pushback: Option<&'static str>,
    /// Fails only after its first message.
    late: bool,
    seen: Arc<Mutex<Vec<Seen>>>,
}

#[derive(Clone, Debug)]
struct Seen {
    at: Instant,
    previous: Option<String>,
}

impl Flaky {
    fn failing(failures: usize) -> Self {
        Self {
            failures,
            ..Self::default()
        }
    }

    /// Writes a call down, and fails if it is one of the first.
    fn arrive<T>(&self, request: &Request<T>) -> Result<(), Status> {
        let previous = request.metadata().get("grpc-previous-rpc-attempts");
        let previous = previous.map(|value| value.to_str().unwrap().to_owned());
        let at = Instant::now();
        let mut seen = self.seen.lock().unwrap();
        seen.push(Seen { at, previous });
        if seen.len() > self.failures || self.late {
            return Ok(());
        }
        Err(self.unavailable())
    }

    fn unavailable(&self) -> Status {
        let mut status = Status::unavailable("deploying");
        if let Some(pushback) = self.pushback {
            let pushback = pushback.parse().unwrap();
            status
                .metadata_mut()
                .insert("grpc-retry-pushback-ms", pushback);
        }
        status
    }

    fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

#[tonic::async_trait]
impl Echo for Flaky {
    async fn unary(&self, request: Request<Line>) -> Result<Response<Line>, Status> {
        self.arrive(&request)?;
        Ok(Response::new(request.into_inner()))
    }

    async fn client_streaming(
        &self,
        request: Request<Streaming<Line>>,
    ) -> Result<Response<Line>, Status> {
        let fails = self.arrive(&request);
        let mut lines = request.into_inner();
        let mut text = String::new();
        while let Some(line) = lines.message().await? {
            text.push_str(&line.text);
            if text.len() == 3 {
                fails.clone()?;
            }
        }
        Ok(Response::new(Line { text }))
    }

    type ServerStreamingStream = Lines;

    async fn server_streaming(&self, request: Request<Line>) -> Result<Response<Lines>, Status> {
        self.arrive(&request)?;
        let (words, stream) = mpsc::channel(2);
        words.try_send(Ok(request.into_inner())).unwrap();
        words.try_send(Err(self.unavailable())).unwrap();
        Ok(Response::new(ReceiverStream::new(stream)))
    }

    type BidiStream = Lines;

    async fn bidi(&self, request: Request<Streaming<Line>>) -> Result<Response<Lines>, Status> {
        self.arrive(&request)?;
        let (answers, stream) = mpsc::channel(1);
        let mut lines = request.into_inner();
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.message().await {
                if answers.send(Ok(line)).await.is_err() {
                    return;
                }
            }
        });
        Ok(Response::new(ReceiverStream::new(stream)))
    }
}

async fn serve(flaky: &Flaky) -> http::Uri {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri = format!("http://{}", listener.local_addr().unwrap());
    let server = tonic::transport::Server::builder().add_service(EchoServer::new(flaky.clone()));
    tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
    uri.parse().unwrap()
}

/// A client over our connector.
fn over_connector(
    uri: http::Uri,
) -> EchoClient<
    impl GrpcService<
        tonic::body::Body,
        ResponseBody: Body<Data = Bytes, Error: Into<BoxError> + Send> + Send + 'static,
        Error: Into<BoxError>,
    >,
> {
    let stack = RetryLayer::new().layer(Connector::new().http(HttpVersion::H2c));
    EchoClient::with_origin(stack, uri)
}

/// A client over tonic's channel.
fn over_channel(
    uri: http::Uri,
) -> EchoClient<
    impl GrpcService<
        tonic::body::Body,
        ResponseBody: Body<Data = Bytes, Error: Into<BoxError> + Send> + Send + 'static,
        Error: Into<BoxError>,
    >,
> {
    let channel = Endpoint::from(uri).connect_lazy();
    let stack = ServiceBuilder::new()
        .layer(RetryLayer::new())
        .layer(MapRequestBodyLayer::new(tonic::body::Body::new))
        .service(channel);
    EchoClient::new(stack)
}

fn line(text: &str) -> Line {
    Line { text: text.into() }
}

/// A request that may be executed twice.
fn idempotent<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.extensions_mut().insert(Idempotent);
    request
}

macro_rules! over_both {
    ($flaky:expr, $client:ident => $talk:block) => {{
        let flaky: Flaky = $flaky;
        let mut $client = over_connector(serve(&flaky).await);
        $talk
        let over_the_connector = flaky.seen();
        flaky.seen.lock().unwrap().clear();
        let mut $client = over_channel(serve(&flaky).await);
        $talk
        [over_the_connector, flaky.seen()]
    }};
}

#[tokio::test]
async fn an_unavailable_service_is_asked_again_and_told_how_often_it_was() {
    let seen = over_both!(Flaky::failing(2), client => {
        let answer = client.unary(idempotent(line("hello"))).await.unwrap();
        assert_eq!(answer.into_inner().text, "hello");
    });
    for seen in seen {
        let previous: Vec<_> = seen.iter().map(|seen| seen.previous.as_deref()).collect();
        assert_eq!(previous, [None, Some("1"), Some("2")]);
    }
}

#[tokio::test]
async fn what_nobody_said_is_idempotent_is_asked_once() {
    let seen = over_both!(Flaky::failing(1), client => {
        let status = client.unary(line("hello")).await.unwrap_err();
        assert_eq!(status.code(), Code::Unavailable);
    });
    assert!(seen.iter().all(|seen| seen.len() == 1));
}

#[tokio::test]
async fn pushback_is_obeyed() {
    let flaky = Flaky {
        pushback: Some("300"),
        ..Flaky::failing(1)
    };
    let seen = over_both!(flaky, client => {
        client.unary(idempotent(line("hello"))).await.unwrap();
    });
    for seen in seen {
        assert!(seen[1].at - seen[0].at >= Duration::from_millis(300));
    }
    for refusal in ["-1", "later"] {
        let flaky = Flaky {
            pushback: Some(refusal),
            ..Flaky::failing(1)
        };
        let seen = over_both!(flaky, client => {
            client.unary(idempotent(line("hello"))).await.unwrap_err();
        });
        assert!(seen.iter().all(|seen| seen.len() == 1), "{refusal}");
    }
}

#[tokio::test]
async fn an_error_after_the_first_message_is_the_callers() {
    let seen = over_both!(Flaky::failing(0), client => {
        let words = client.server_streaming(idempotent(line("hello"))).await;
        let mut words = words.unwrap().into_inner();
        assert_eq!(words.message().await.unwrap().unwrap().text, "hello");
        assert_eq!(words.message().await.unwrap_err().code(), Code::Unavailable);
    });
    assert!(seen.iter().all(|seen| seen.len() == 1));
}

#[tokio::test]
async fn a_client_stream_that_failed_half_way_is_sent_again_whole() {
    let seen = over_both!(Flaky::failing(2), client => {
        let lines = tokio_stream::iter(["a", "b", "c", "d", "e", "f"].map(line));
        let answer = client.client_streaming(idempotent(lines)).await.unwrap();
        assert_eq!(answer.into_inner().text, "abcdef");
    });
    assert!(seen.iter().all(|seen| seen.len() == 3));
}

#[tokio::test]
async fn a_bidirectional_call_that_was_refused_goes_on_live() {
    let seen = over_both!(Flaky::failing(1), client => {
        let (say, lines) = mpsc::channel(1);
        let call = client.bidi(idempotent(ReceiverStream::new(lines)));
        let talk = async {
            say.send(line("before")).await.unwrap();
            let mut answers = call.await.unwrap().into_inner();
            for text in ["before", "after", "much later"] {
                assert_eq!(answers.message().await.unwrap().unwrap().text, text);
                if text == "before" {
                    say.send(line("after")).await.unwrap();
                    say.send(line("much later")).await.unwrap();
                }
            }
            drop(say);
            assert_eq!(answers.message().await.unwrap(), None);
        };
        tokio::time::timeout(Duration::from_secs(10), talk).await.unwrap();
    });
    assert!(seen.iter().all(|seen| seen.len() == 2));
}
