//! One test per row of the error table, over real sockets: what the error says, what the server
//! executed, how many connections it saw.
//!
//! hyper promises neither its errors' sources nor their types. When an upgrade of hyper or h2 turns a
//! row red, look at the error's new chain (`{:#?}`) and teach `outrigger_core`'s `transport.rs` to
//! read it. Where it cannot be told apart any more, the row becomes `Ambiguous`: never the other way
//! round, since `Unsent` and `Unprocessed` allow a POST to be sent again.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::BodyExt;
use outrigger_connector::{Connector, ConnectorError, ErrorKind};
use outrigger_core::{Blame, Elapsed, Fault, Outcome, Phase, Rejected, find};
use outrigger_testkit::raw::{Code, Entry, Frame, Peer, Script, Setting};
use outrigger_testkit::{Log, Server};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};

use crate::support::{Body, Piece, Scripted, get, h2c, http1, parked, send};

const SHORT: Duration = Duration::from_millis(200);
const LONG: Duration = Duration::from_secs(10);

const UNSENT: Fault = Fault::new(Outcome::Unsent);
const UNPROCESSED: Fault = Fault::new(Outcome::Unprocessed);
const AMBIGUOUS: Fault = Fault::new(Outcome::Ambiguous);
const CALLERS: Fault = AMBIGUOUS.blame(Blame::Caller).without_retry();

#[track_caller]
fn assert_says(error: &ConnectorError, kind: ErrorKind, fault: Fault) {
    assert_eq!((error.kind(), error.fault()), (kind, fault), "{error:#?}");
    assert_eq!(Fault::of(error), fault, "{error:#?}");
}

/// A server that reads one request of each connection, executes it where it is told to, and fails.
async fn failing<F, Fut>(executes: bool, fail: F) -> Server<Script>
where
    F: Fn(Peer, outrigger_testkit::raw::Request) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = std::io::Result<()>> + Send + 'static,
{
    let script = Script::new(move |mut peer: Peer| {
        let fail = fail.clone();
        async move {
            peer.settings([(Setting::MAX_CONCURRENT_STREAMS, 10)])
                .await?;
            let request = peer.request().await?;
            if executes {
                peer.execute(&request)?;
            }
            fail(peer, request).await
        }
    });
    Server::bind(script).await.unwrap()
}

async fn error_of(server: &Server<Script>) -> ConnectorError {
    let connector = h2c();
    let error = timeout(LONG, send(&connector, get(server.url("/")))).await;
    let error = error.unwrap().unwrap_err();
    assert_eq!(connector.snapshot().streams(), 0);
    error
}

fn executed(log: &Log<Entry>) -> usize {
    log.executed().len()
}

/// A request body that breaks off.
fn broken() -> Scripted {
    Scripted::new([Piece::Data("some"), Piece::Fail])
}

/// A port of this machine at which nobody listens.
async fn nobody() -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap()
}

mod before_a_connection {
    use super::*;

    #[tokio::test]
    async fn a_refused_connect_is_unsent() {
        let url = format!("http://{}/", nobody().await);
        let error = send(&h2c(), get(url)).await.unwrap_err();
        assert_says(&error, ErrorKind::Connect, UNSENT);
        let io = find::<std::io::Error>(&error).map(std::io::Error::kind);
        assert_eq!(io, Some(std::io::ErrorKind::ConnectionRefused));
    }

    #[tokio::test]
    async fn a_name_that_does_not_resolve_is_unsent() {
        // Too long a label for the wire: the resolver fails before it asks anybody.
        let url = format!("http://{}.test/", "x".repeat(64));
        let error = send(&h2c(), get(url)).await.unwrap_err();
        assert_says(&error, ErrorKind::Connect, UNSENT);
    }

    #[tokio::test]
    async fn a_connect_that_takes_too_long_is_unsent() {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(0).unwrap();
        let addr = listener.local_addr().unwrap();
        // Nobody accepts: once the backlog is full, the system leaves a SYN unanswered.
        let mut backlog = Vec::new();
        while let Ok(accepted) = timeout(SHORT, TcpStream::connect(addr)).await {
            backlog.push(accepted.unwrap());
        }
        let connector = h2c().connect_timeout(SHORT);
        let error = send(&connector, get(format!("http://{addr}/")));
        let error = timeout(LONG, error).await.unwrap().unwrap_err();
        assert_says(&error, ErrorKind::ConnectTimeout, UNSENT);
        let elapsed = find::<Elapsed>(&error).unwrap();
        assert_eq!((elapsed.phase(), elapsed.limit()), (Phase::Connect, SHORT));
    }

    #[tokio::test]
    async fn a_server_that_never_sends_settings_times_out_as_a_connect() {
        let server = Server::bind(Script::new(|mut peer| async move { peer.silence().await }));
        let server = server.await.unwrap();
        let connector = h2c().connect_timeout(SHORT);
        let began = Instant::now();
        let error = timeout(LONG, send(&connector, get(server.url("/")))).await;
        let error = error.unwrap().unwrap_err();
        assert!(began.elapsed() >= SHORT);
        assert_says(&error, ErrorKind::ConnectTimeout, UNSENT);
        let elapsed = find::<Elapsed>(&error).unwrap();
        assert_eq!((elapsed.phase(), elapsed.limit()), (Phase::Connect, SHORT));
        assert_eq!(server.connections(), 1);
        assert_eq!(server.log().requests().len(), 0, "nothing was sent");
    }

    #[tokio::test]
    async fn an_http1_server_that_is_spoken_to_in_http2_gets_no_request() {
        let server = http1::Server::bind(|mut exchange| async move {
            exchange.request().await;
            exchange.answer("400 Bad Request", "").await;
        })
        .await;
        let error = timeout(LONG, send(&h2c(), get(server.url("/")))).await;
        assert_says(&error.unwrap().unwrap_err(), ErrorKind::Connect, UNSENT);
        assert_eq!(server.requests(), ["PRI * HTTP/2.0\r\n\r\n"]);
    }

    #[tokio::test]
    async fn a_wait_for_a_place_that_takes_too_long_is_unsent_and_ours() {
        let server = Server::bind(Script::new(|mut peer| async move {
            peer.settings([(Setting::MAX_CONCURRENT_STREAMS, 1)])
                .await?;
            let request = peer.request().await?;
            peer.execute(&request)?;
            peer.silence().await
        }));
        let server = server.await.unwrap();
        let connector = h2c().acquire_timeout(SHORT).max_connections_per_endpoint(1);
        let _held = parked(&connector, get(server.url("/held")));
        server.log().wait_until(|log| executed(log) == 1).await;
        let error = send(&connector, get(server.url("/"))).await.unwrap_err();
        assert_says(&error, ErrorKind::AcquireTimeout, UNSENT.blame(Blame::Us));
        assert_eq!(find::<Elapsed>(&error).unwrap().phase(), Phase::Acquire);
        assert_eq!((executed(&server.log()), server.connections()), (1, 1));
        assert_eq!(server.log().requests().len(), 1);
    }

    #[tokio::test]
    async fn one_too_many_waiting_is_refused_at_once() {
        let server = Server::bind(Script::new(|mut peer| async move {
            peer.settings([(Setting::MAX_CONCURRENT_STREAMS, 0)])
                .await?;
            peer.silence().await
        }));
        let server = server.await.unwrap();
        let connector = h2c().max_waiting_per_endpoint(0);
        let error = send(&connector, get(server.url("/"))).await.unwrap_err();
        let ours = UNSENT.blame(Blame::Us).without_retry();
        assert_says(&error, ErrorKind::QueueFull, ours);
        assert!(find::<Rejected>(&error).is_some());
        assert_eq!((executed(&server.log()), server.connections()), (0, 0));
        assert_eq!(connector.snapshot().endpoints.len(), 0);
    }

    #[tokio::test]
    async fn a_uri_that_leads_nowhere_is_unsent_final_and_the_callers() {
        let error = send(&h2c(), get("/path")).await.unwrap_err();
        let callers = UNSENT.blame(Blame::Caller).without_retry();
        assert_says(&error, ErrorKind::Request, callers);
    }
}

mod returned_by_a_connection {
    use super::*;

    /// A server that takes leave of its first `leaves` connections before it reads from them.
    async fn leaving(leaves: usize) -> Server<Script> {
        let script = Script::new(move |mut peer: Peer| async move {
            peer.settings([]).await?;
            if peer.connection() <= leaves {
                peer.goaway(0, Code::NO_ERROR, "").await?;
                return peer.silence().await;
            }
            // As long as a GOAWAY, for the dialer that waits for so much.
            let ping = Frame::Ping {
                ack: false,
                payload: [0; 8],
            };
            peer.frame(ping).await?;
            peer.behave().await
        });
        Server::bind(script).await.unwrap()
    }

    /// Hands a connection out when the server's first words are there: hyper reads the GOAWAY before
    /// it takes the request.
    fn dial_and_listen() -> impl outrigger_connector::Dial + Clone + Send + 'static {
        tower::service_fn(|uri: http::Uri| async move {
            let socket = TcpStream::connect(uri.authority().unwrap().as_str()).await?;
            let mut words = [0; 9 + 9 + 8];
            while socket.peek(&mut words).await? < words.len() {}
            Ok::<_, std::io::Error>(hyper_util::rt::TokioIo::new(socket))
        })
    }

    #[tokio::test]
    async fn an_unsent_request_goes_to_the_next_connection() {
        let server = leaving(3).await;
        let connector = h2c().dialer(dial_and_listen());
        let request = Request::post(server.url("/")).body(Body::from("once"));
        let call = tower::ServiceExt::oneshot(connector.clone(), request.unwrap());
        timeout(LONG, call).await.unwrap().unwrap();
        assert_eq!((executed(&server.log()), server.connections()), (1, 4));
        assert_eq!(server.log().requests().len(), 1);
        assert_eq!(server.log().body(&server.log().requests()[0]), "once");
        assert_eq!(connector.snapshot().streams(), 0);
    }

    #[tokio::test]
    async fn a_request_that_always_comes_back_is_unsent() {
        let server = leaving(usize::MAX).await;
        let connector = h2c().dialer(dial_and_listen());
        let request = Request::post(server.url("/")).body(Body::from("never"));
        let call = tower::ServiceExt::oneshot(connector.clone(), request.unwrap());
        let error = timeout(LONG, call).await.unwrap().unwrap_err();
        assert_says(&error, ErrorKind::Unsent, UNSENT);
        assert_eq!((executed(&server.log()), server.connections()), (0, 4));
        assert_eq!(server.log().requests().len(), 0);
        assert_eq!(connector.snapshot().streams(), 0);
    }
}

mod on_a_stream {
    use super::*;

    #[tokio::test]
    async fn refused_stream_is_unprocessed() {
        let server = failing(false, |mut peer, request| async move {
            peer.reset_stream(&request, Code::REFUSED_STREAM).await?;
            peer.silence().await
        })
        .await;
        let error = error_of(&server).await;
        assert_says(&error, ErrorKind::Unprocessed, UNPROCESSED);
        assert_eq!((executed(&server.log()), server.connections()), (0, 1));
    }

    #[tokio::test]
    async fn a_goaway_below_the_stream_is_unprocessed_whatever_its_code() {
        for code in [
            Code::NO_ERROR,
            Code::ENHANCE_YOUR_CALM,
            Code::INTERNAL_ERROR,
        ] {
            let server = failing(false, move |mut peer, _| async move {
                peer.goaway(0, code, "bye").await?;
                peer.silence().await
            })
            .await;
            let error = error_of(&server).await;
            assert_says(&error, ErrorKind::Unprocessed, UNPROCESSED);
            assert_eq!((executed(&server.log()), server.connections()), (0, 1));
        }
    }

    #[tokio::test]
    async fn any_other_reset_is_ambiguous() {
        let codes = [
            Code::NO_ERROR,
            Code::PROTOCOL_ERROR,
            Code::INTERNAL_ERROR,
            Code::CANCEL,
            Code::ENHANCE_YOUR_CALM,
            Code::HTTP_1_1_REQUIRED,
            Code(0xff),
        ];
        for code in codes {
            let server = failing(true, move |mut peer, request| async move {
                peer.reset_stream(&request, code).await?;
                peer.silence().await
            })
            .await;
            let error = error_of(&server).await;
            assert_says(&error, ErrorKind::Broken, AMBIGUOUS);
            assert_eq!((executed(&server.log()), server.connections()), (1, 1));
        }
    }
}

mod on_the_connection {
    use super::*;

    #[tokio::test]
    async fn an_end_before_the_head_is_ambiguous() {
        let server = failing(true, |peer, _| peer.close()).await;
        assert_says(&error_of(&server).await, ErrorKind::Broken, AMBIGUOUS);
        assert_eq!((executed(&server.log()), server.connections()), (1, 1));
    }

    #[tokio::test]
    async fn a_reset_before_the_head_is_ambiguous() {
        let server = failing(true, |peer, _| async move { peer.reset() }).await;
        assert_says(&error_of(&server).await, ErrorKind::Broken, AMBIGUOUS);
        assert_eq!((executed(&server.log()), server.connections()), (1, 1));
    }

    #[tokio::test]
    async fn a_goaway_above_the_stream_and_an_end_is_ambiguous() {
        let server = failing(true, |mut peer, request| async move {
            peer.goaway(request.stream, Code::NO_ERROR, "").await?;
            peer.close().await
        })
        .await;
        assert_says(&error_of(&server).await, ErrorKind::Broken, AMBIGUOUS);
        assert_eq!((executed(&server.log()), server.connections()), (1, 1));
    }

    #[tokio::test]
    async fn frames_that_break_the_protocol_are_ambiguous() {
        let server = failing(true, |mut peer, _| async move {
            // DATA on stream 0 (RFC 9113 §6.1).
            peer.write(&[0, 0, 1, 0, 0, 0, 0, 0, 0, 7]).await?;
            peer.silence().await
        })
        .await;
        assert_says(&error_of(&server).await, ErrorKind::Broken, AMBIGUOUS);
        assert_eq!((executed(&server.log()), server.connections()), (1, 1));
    }

    #[tokio::test]
    async fn an_unanswered_ping_is_ambiguous() {
        let server = failing(true, |mut peer, _| async move {
            peer.without_ping_acks();
            peer.silence().await
        })
        .await;
        let connector = h2c().keep_alive(SHORT, SHORT);
        let began = Instant::now();
        let error = timeout(LONG, send(&connector, get(server.url("/")))).await;
        assert_says(&error.unwrap().unwrap_err(), ErrorKind::Broken, AMBIGUOUS);
        assert!(began.elapsed() >= SHORT * 2);
        assert_eq!((executed(&server.log()), server.connections()), (1, 1));
    }

    #[tokio::test]
    async fn an_http1_message_cut_short_is_ambiguous() {
        let answers = ["", "HTTP/1.1 200 OK\r\ncontent-le", "garbage\r\n\r\n"];
        for answer in answers {
            let server = http1::Server::bind(move |mut exchange| async move {
                exchange.request().await;
                exchange.write(answer).await;
            })
            .await;
            let connector = Connector::<Body>::new();
            let error = send(&connector, get(server.url("/"))).await.unwrap_err();
            assert_says(&error, ErrorKind::Broken, AMBIGUOUS);
            assert_eq!((server.requests().len(), server.connections()), (1, 1));
            assert_eq!(connector.snapshot().streams(), 0);
        }
    }
}

mod by_the_caller {
    use super::*;

    #[tokio::test]
    async fn the_callers_own_body_is_ambiguous_final_and_the_callers() {
        let server = failing(false, |mut peer, request| async move {
            peer.body(&request).await?;
            peer.silence().await
        })
        .await;
        let request = Request::post(server.url("/")).body(broken()).unwrap();
        let connector = Connector::new().http(outrigger_connector::HttpVersion::H2c);
        let error = tower::ServiceExt::oneshot(connector.clone(), request);
        let error = timeout(LONG, error).await.unwrap().unwrap_err();
        assert_says(&error, ErrorKind::RequestBody, CALLERS);
        assert!(format!("{error:?}").contains("the caller's words"));
        server
            .log()
            .wait_until(|log| !log.resets().is_empty())
            .await;
        assert_eq!((executed(&server.log()), server.connections()), (0, 1));
        assert_eq!(connector.snapshot().streams(), 0);
    }

    #[tokio::test]
    async fn the_callers_own_body_over_http1_is_the_same() {
        let server = http1::Server::bind(|mut exchange| async move {
            while exchange.request().await.is_some() {}
        })
        .await;
        let request = Request::post(server.url("/")).body(broken()).unwrap();
        let connector = Connector::new();
        let error = tower::ServiceExt::oneshot(connector.clone(), request).await;
        assert_says(&error.unwrap_err(), ErrorKind::RequestBody, CALLERS);
        assert_eq!(server.connections(), 1);
        assert_eq!(connector.snapshot().streams(), 0);
    }
}

mod after_the_head {
    use super::*;

    async fn body_error(server: &Server<Script>) -> ConnectorError {
        let connector = h2c();
        let response = send(&connector, get(server.url("/"))).await.unwrap();
        assert_eq!(response.status(), 200);
        let mut body = response.into_body();
        let first = body.frame().await.unwrap().unwrap().into_data().unwrap();
        assert_eq!(first, Bytes::from_static(b"half"));
        let error = timeout(LONG, body.frame())
            .await
            .unwrap()
            .unwrap()
            .unwrap_err();
        assert!(body.frame().await.is_none());
        assert_eq!(connector.snapshot().streams(), 0);
        error
    }

    #[tokio::test]
    async fn any_reset_breaks_the_body_and_is_ambiguous() {
        for code in [Code::REFUSED_STREAM, Code::CANCEL, Code::INTERNAL_ERROR] {
            let server = failing(true, move |mut peer, request| async move {
                peer.head(&request, 200, &[], false).await?;
                peer.data(&request, "half", false).await?;
                peer.reset_stream(&request, code).await?;
                peer.silence().await
            })
            .await;
            let error = body_error(&server).await;
            assert_says(&error, ErrorKind::ResponseBody, AMBIGUOUS);
            assert_eq!((executed(&server.log()), server.connections()), (1, 1));
        }
    }

    #[tokio::test]
    async fn an_end_breaks_the_body_and_is_ambiguous() {
        let server = failing(true, |mut peer, request| async move {
            peer.head(&request, 200, &[], false).await?;
            peer.data(&request, "half", false).await?;
            peer.close().await
        })
        .await;
        let error = body_error(&server).await;
        assert_says(&error, ErrorKind::ResponseBody, AMBIGUOUS);
        assert_eq!((executed(&server.log()), server.connections()), (1, 1));
    }

    #[tokio::test]
    async fn an_end_breaks_an_http1_body_and_is_ambiguous() {
        let server = http1::Server::bind(|mut exchange| async move {
            exchange.request().await;
            exchange
                .write("HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\nhalf")
                .await;
        })
        .await;
        let connector = Connector::<Body>::new();
        let response = send(&connector, get(server.url("/"))).await.unwrap();
        let error = response.into_body().collect().await.unwrap_err();
        assert_says(&error, ErrorKind::ResponseBody, AMBIGUOUS);
        assert_eq!((server.requests().len(), server.connections()), (1, 1));
    }
}

/// What core knows of hyper-util's plain client, for those who do not use this connector.
mod through_hyper_util {
    use hyper_util::client::legacy::Client;
    use hyper_util::rt::TokioExecutor;

    use super::*;

    async fn fault_of(url: String, http2: bool) -> Fault {
        let client = Client::builder(TokioExecutor::new())
            .http2_only(http2)
            .build_http::<Body>();
        let error = timeout(LONG, client.request(get(url))).await.unwrap();
        Fault::of(&error.unwrap_err())
    }

    #[tokio::test]
    async fn a_refused_connect_is_unsent() {
        let url = format!("http://{}/", nobody().await);
        assert_eq!(fault_of(url, true).await, UNSENT);
    }

    #[tokio::test]
    async fn refused_stream_is_unprocessed_and_a_goaway_below_the_stream_no_proof() {
        for (goaway, fault) in [(false, UNPROCESSED), (true, AMBIGUOUS)] {
            let server = failing(false, move |mut peer, request| async move {
                if goaway {
                    peer.goaway(0, Code::ENHANCE_YOUR_CALM, "").await?;
                } else {
                    peer.reset_stream(&request, Code::REFUSED_STREAM).await?;
                }
                peer.silence().await
            })
            .await;
            assert_eq!(fault_of(server.url("/"), true).await, fault);
            assert_eq!((executed(&server.log()), server.connections()), (0, 1));
        }
    }

    #[tokio::test]
    async fn another_reset_and_an_end_are_ambiguous() {
        for end in [false, true] {
            let server = failing(true, move |mut peer, request| async move {
                if end {
                    return peer.close().await;
                }
                peer.reset_stream(&request, Code::CANCEL).await?;
                peer.silence().await
            })
            .await;
            assert_eq!(fault_of(server.url("/"), true).await, AMBIGUOUS);
            assert_eq!((executed(&server.log()), server.connections()), (1, 1));
        }
    }

    #[tokio::test]
    async fn an_http1_message_cut_short_is_ambiguous() {
        let server = http1::Server::bind(|mut exchange| async move {
            exchange.request().await;
        })
        .await;
        assert_eq!(fault_of(server.url("/"), false).await, AMBIGUOUS);
        assert_eq!((server.requests().len(), server.connections()), (1, 1));
    }

    /// hyper queues streams above the server's limit. Of those still queued when the connection ends
    /// it says that they never left, except of the first: that one it loses track of.
    #[tokio::test]
    async fn requests_that_hyper_queued_are_unsent_but_for_the_first() {
        let end = Arc::new(Notify::new());
        let told = Arc::clone(&end);
        let server = Server::bind(Script::new(move |mut peer: Peer| {
            let told = Arc::clone(&told);
            async move {
                peer.settings([(Setting::MAX_CONCURRENT_STREAMS, 1)])
                    .await?;
                let first = peer.request().await?;
                peer.answer(&first, 200, "").await?;
                let held = peer.request().await?;
                peer.execute(&held)?;
                told.notified().await;
                peer.close().await
            }
        }));
        let server = server.await.unwrap();
        let client = Client::builder(TokioExecutor::new())
            .http2_only(true)
            .retry_canceled_requests(false)
            .build_http::<Body>();
        client.request(get(server.url("/"))).await.unwrap();
        let calls = ["held", "pending open", "queued"].map(|_| {
            let call = client.request(get(server.url("/")));
            tokio::spawn(async move { Fault::of(&call.await.unwrap_err()) })
        });
        server.log().wait_until(|log| executed(log) == 1).await;
        end.notify_one();
        let mut faults = Vec::new();
        for call in calls {
            faults.push(timeout(LONG, call).await.unwrap().unwrap());
        }
        assert_eq!(faults, [AMBIGUOUS, AMBIGUOUS, UNSENT]);
        assert_eq!((executed(&server.log()), server.connections()), (1, 1));
    }

    #[tokio::test]
    async fn the_callers_own_body_is_the_callers_where_hyper_says_so() {
        let server = http1::Server::bind(|mut exchange| async move {
            while exchange.request().await.is_some() {}
        })
        .await;
        let client = Client::builder(TokioExecutor::new()).build_http();
        let request = Request::post(server.url("/")).body(broken()).unwrap();
        let error = client.request(request).await.unwrap_err();
        assert_eq!(Fault::of(&error), CALLERS);
    }
}
