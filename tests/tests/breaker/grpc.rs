//! gRPC over tonic's channel: HTTP says 200, and the truth stands in the status.

use outrigger_breaker::GrpcClassify;
use outrigger_tests::echo::Line;
use outrigger_tests::echo::echo_client::EchoClient;
use outrigger_tests::echo::echo_server::{Echo, EchoServer};
use tokio::net::TcpListener;
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tonic::transport::Endpoint;
use tonic::{Code, Status, Streaming};
use tower::Layer;

use super::*;

type Lines = ReceiverStream<Result<Line, Status>>;

/// Unavailable, in the ways that gRPC has to say so.
struct Ill;

#[tonic::async_trait]
impl Echo for Ill {
    async fn unary(&self, _: tonic::Request<Line>) -> Result<tonic::Response<Line>, Status> {
        Err(Status::unavailable("deploying"))
    }

    async fn client_streaming(
        &self,
        _: tonic::Request<Streaming<Line>>,
    ) -> Result<tonic::Response<Line>, Status> {
        Err(Status::unavailable("deploying"))
    }

    type ServerStreamingStream = Lines;

    /// After as many messages as the text is long.
    async fn server_streaming(
        &self,
        request: tonic::Request<Line>,
    ) -> Result<tonic::Response<Lines>, Status> {
        let line = request.into_inner();
        let (lines, stream) = tokio::sync::mpsc::channel(9);
        for _ in 0..line.text.len() {
            lines.try_send(Ok(line.clone())).unwrap();
        }
        lines
            .try_send(Err(Status::unavailable("deploying")))
            .unwrap();
        Ok(tonic::Response::new(ReceiverStream::new(stream)))
    }

    type BidiStream = Lines;

    async fn bidi(
        &self,
        _: tonic::Request<Streaming<Line>>,
    ) -> Result<tonic::Response<Lines>, Status> {
        Err(Status::unavailable("deploying"))
    }
}

#[tokio::test]
async fn a_status_of_unavailable_opens_it_wherever_it_stands() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri = format!("http://{}", listener.local_addr().unwrap());
    let server = tonic::transport::Server::builder().add_service(EchoServer::new(Ill));
    tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
    let channel = Endpoint::new(uri.clone()).unwrap().connect().await.unwrap();

    for messages in [None, Some(0), Some(3)] {
        let breaker = BreakerLayer::default().classify(GrpcClassify);
        let origin = uri.parse().unwrap();
        let mut client = EchoClient::with_origin(breaker.layer(channel.clone()), origin);
        for _ in 0..5 {
            let status = call(&mut client, messages).await;
            assert_eq!(status.code(), Code::Unavailable, "{messages:?}: {status}");
            assert_eq!(status.message(), "deploying", "{messages:?}");
        }
        let refused = call(&mut client, messages).await;
        assert!(
            find::<Open>(&refused).is_some(),
            "{messages:?}: {refused:?}"
        );
    }
}

/// A call, unary or with so many messages in answer, and the status that it ends with.
async fn call<T, B>(client: &mut EchoClient<T>, messages: Option<usize>) -> Status
where
    T: tonic::client::GrpcService<tonic::body::Body, ResponseBody = B, Error: Into<BoxError>>,
    B: http_body::Body<Data = Bytes, Error: Into<BoxError> + Send> + Send + 'static,
{
    let text = "x".repeat(messages.unwrap_or_default());
    let request = Line { text };
    if messages.is_none() {
        return client.unary(request).await.unwrap_err();
    }
    let mut stream = match client.server_streaming(request).await {
        Ok(response) => response.into_inner(),
        Err(status) => return status,
    };
    loop {
        match stream.message().await {
            Ok(Some(_)) => {}
            Ok(None) => return Status::ok("it ended well"),
            Err(status) => return status,
        }
    }
}
