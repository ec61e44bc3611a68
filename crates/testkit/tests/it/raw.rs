use std::{io, time::Duration};

use http_body_util::BodyExt;
use hyper_util::rt::TokioIo;
use outrigger_testkit::{
    Body, Log, Serve, Server, Transport,
    raw::{Code, Entry, Event, Frame, Peer, Script, Setting},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::client::{builder, connect, find, get, post};

/// What a client says first, with empty SETTINGS.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

/// Long enough for anything that happens on a loopback socket.
const AMPLE: Duration = Duration::from_secs(10);

/// Long enough to see that something does not happen.
const BRIEF: Duration = Duration::from_millis(200);

async fn serve<Fut>(script: impl Fn(Peer) -> Fut + Send + Sync + 'static) -> Server<Script>
where
    Fut: Future<Output = io::Result<()>> + Send + 'static,
{
    Server::bind(Script::new(script)).await.unwrap()
}

/// How the script of a connection ended, once it has.
fn ended(log: &Log<Entry>, connection: usize) -> Option<Option<String>> {
    log.entries()
        .into_iter()
        .find_map(|entry| match entry.event {
            Event::Ended(how) if entry.connection == connection => Some(how),
            _ => None,
        })
}

fn code_of(error: &hyper::Error) -> Option<(h2::Reason, bool)> {
    let error = find::<h2::Error>(error)?;
    Some((error.reason()?, error.is_go_away()))
}

#[tokio::test]
async fn an_answer_has_the_head_the_body_and_the_trailers_of_the_script() {
    let server = serve(|mut peer| async move {
        peer.settings([]).await?;
        let request = peer.request().await?;
        peer.execute(&request)?;
        peer.head(&request, 418, &[("x-kind", "teapot")], false)
            .await?;
        peer.data(&request, vec![7; 40_000], false).await?;
        peer.trailers(&request, &[("x-sum", "1")]).await?;
        peer.close().await
    })
    .await;

    let (mut client, _) = connect(server.addr()).await;
    let mut request = get("/pot?size=2");
    request
        .headers_mut()
        .insert("x-asked", "yes".parse().unwrap());
    let response = client.send_request(request).await.unwrap();

    assert_eq!(response.status(), 418);
    assert_eq!(response.headers()["x-kind"], "teapot");
    let body = response.into_body().collect().await.unwrap();
    assert_eq!(body.trailers().unwrap()["x-sum"], "1");
    assert_eq!(body.to_bytes(), vec![7; 40_000]);
    let [request] = &server.log().executed()[..] else {
        panic!("{:?}", server.log())
    };
    assert_eq!(
        (request.method.as_str(), request.path.as_str()),
        ("GET", "/pot?size=2")
    );
    assert_eq!(
        (request.scheme.as_str(), request.authority.as_str()),
        ("http", "testkit")
    );
    assert_eq!(request.headers["x-asked"], "yes");
    assert!(request.end_stream);
    assert_eq!((request.connection, request.stream), (1, 1));
}

#[tokio::test]
async fn the_client_learns_exactly_the_settings_of_the_script() {
    let server = serve(|mut peer| async move {
        let settings = [
            (Setting::MAX_CONCURRENT_STREAMS, 1),
            (Setting::INITIAL_WINDOW_SIZE, 5),
        ];
        peer.settings(settings).await?;
        let first = peer.request().await?;
        peer.wait(BRIEF).await?;
        peer.execute(&first)?;
        peer.answer(&first, 200, "").await?;
        peer.silence().await
    })
    .await;
    let log = server.log();
    let (mut client, _) = connect(server.addr()).await;
    let receipt = Frame::Settings {
        ack: true,
        values: Vec::new(),
    };
    log.wait_until(|log| log.frames().contains(&(1, receipt.clone())))
        .await;

    tokio::spawn(client.send_request(get("/first")));
    tokio::spawn(client.send_request(post("/second", "0123456789")));

    // Only one stream at a time, and five bytes of body on it.
    log.wait_until(|log| log.requests().len() == 2).await;
    let step =
        |wanted: fn(&Event) -> bool| log.entries().iter().rposition(|entry| wanted(&entry.event));
    assert!(
        step(|event| matches!(event, Event::Executed(_)))
            < step(|event| matches!(event, Event::Request(_)))
    );
    log.wait_until(|log| log.body(&log.requests()[1]) == "01234")
        .await;
}

#[tokio::test]
async fn receipts_wait_for_settings_that_are_sent_late() {
    let server = serve(|mut peer| async move {
        let _before = peer.request().await?;
        peer.settings([(Setting::MAX_CONCURRENT_STREAMS, 1)])
            .await?;
        peer.silence().await
    })
    .await;
    let mut socket = h2_client_bytes(server.addr()).await;

    let mut first = [0; 9];
    socket.read_exact(&mut first).await.unwrap();
    assert_eq!(
        first,
        [0, 0, 6, 4, 0, 0, 0, 0, 0],
        "the script's SETTINGS come first"
    );
    let mut value = [0; 6];
    socket.read_exact(&mut value).await.unwrap();
    assert_eq!(value, [0, 3, 0, 0, 0, 1]);
    socket.read_exact(&mut first).await.unwrap();
    assert_eq!(
        first,
        [0, 0, 0, 4, 1, 0, 0, 0, 0],
        "then the receipt for the client's"
    );
}

/// A client that sends its preface, empty SETTINGS and `GET /` on stream 1, and no more.
async fn h2_client_bytes(addr: std::net::SocketAddr) -> TcpStream {
    let mut socket = TcpStream::connect(addr).await.unwrap();
    let hello = [PREFACE, b"\0\0\x03\x01\x05\0\0\0\x01\x82\x84\x86"].concat();
    socket.write_all(&hello).await.unwrap();
    socket
}

#[tokio::test]
async fn settings_are_not_acknowledged_when_the_script_says_so() {
    let server = serve(|mut peer| async move {
        peer.without_settings_acks();
        peer.settings([]).await?;
        peer.silence().await
    })
    .await;
    let mut socket = h2_client_bytes(server.addr()).await;

    let mut frame = [0; 9];
    socket.read_exact(&mut frame).await.unwrap();
    let more = timeout(BRIEF, socket.read_exact(&mut frame)).await;
    assert!(more.is_err(), "{frame:?} came after SETTINGS");
}

#[tokio::test]
async fn goaway_names_its_last_stream_and_code_and_the_log_says_nothing_was_executed() {
    let server = serve(|mut peer| async move {
        peer.settings([]).await?;
        let first = peer.request().await?;
        let _second = peer.request().await?;
        peer.execute(&first)?;
        peer.goaway(first.stream, Code::ENHANCE_YOUR_CALM, "easy now")
            .await?;
        peer.answer(&first, 200, "").await?;
        peer.close().await
    })
    .await;

    let (mut client, _) = connect(server.addr()).await;
    let (first, second) = tokio::join!(
        client.send_request(get("/1")),
        client.clone().send_request(get("/2"))
    );

    assert_eq!(first.unwrap().status(), 200);
    assert_eq!(
        code_of(&second.unwrap_err()),
        Some((h2::Reason::ENHANCE_YOUR_CALM, true))
    );
    let executed = server.log().executed();
    assert_eq!(executed.len(), 1);
    assert_eq!(executed[0].path, "/1");
}

#[tokio::test]
async fn a_stream_is_reset_with_the_code_of_the_script() {
    let server = serve(|mut peer| async move {
        peer.settings([]).await?;
        let request = peer.request().await?;
        peer.reset_stream(&request, Code::REFUSED_STREAM).await?;
        peer.behave().await
    })
    .await;

    let (mut client, _) = connect(server.addr()).await;
    let error = client.send_request(get("/")).await.unwrap_err();

    assert_eq!(code_of(&error), Some((h2::Reason::REFUSED_STREAM, false)));
    assert!(server.log().executed().is_empty());
    assert_eq!(
        client.send_request(get("/again")).await.unwrap().status(),
        200
    );
    assert_eq!(server.log().executed().len(), 1);
}

#[tokio::test]
async fn a_reset_by_the_client_is_logged() {
    let server = serve(|mut peer| async move {
        peer.settings([]).await?;
        peer.silence().await
    })
    .await;

    let (mut client, _) = connect(server.addr()).await;
    let _ = timeout(BRIEF, client.send_request(get("/")))
        .await
        .unwrap_err();

    let log = server.log();
    log.wait_until(|log| log.resets() == [(1, 1, Code::CANCEL)])
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_ping_is_answered_unless_the_script_says_no() {
    for answered in [true, false] {
        let script = Script::new(move |mut peer: Peer| async move {
            if !answered {
                peer.without_ping_acks();
            }
            peer.settings([]).await?;
            let request = peer.request().await?;
            peer.wait(Duration::from_secs(60)).await?;
            peer.answer(&request, 200, "").await?;
            peer.close().await
        });
        let (near, far) = tokio::io::duplex(1024);
        tokio::spawn(script.serve(Transport::new(far), 1));
        let (mut client, connection) = builder()
            .keep_alive_interval(Duration::from_secs(20))
            .keep_alive_timeout(Duration::from_secs(10))
            .handshake(TokioIo::new(near))
            .await
            .unwrap();
        tokio::spawn(connection);

        match client.send_request(get("/")).await {
            Ok(_) => assert!(answered),
            Err(error) => assert!(!answered && error.is_timeout(), "{error:?}"),
        }
        let frames = script.log().frames();
        let pings = frames
            .iter()
            .filter(|(_, frame)| matches!(frame, Frame::Ping { .. }))
            .count();
        assert_eq!(pings > 1, answered, "{pings} pings");
    }
}

#[tokio::test]
async fn silence_reads_on_and_answers_nothing_while_the_connection_lives() {
    let server = serve(|mut peer| async move {
        peer.settings([]).await?;
        let request = peer.request().await?;
        peer.execute(&request)?;
        peer.silence().await
    })
    .await;

    let (mut client, connection) = connect(server.addr()).await;
    assert!(timeout(BRIEF, client.send_request(get("/"))).await.is_err());
    assert!(!connection.is_finished());
    connection.abort();

    let log = server.log();
    log.wait_until(|log| ended(log, 1) == Some(None)).await;
    assert_eq!(log.executed().len(), 1);
}

#[tokio::test]
async fn a_black_hole_reads_nothing_and_keeps_the_connection() {
    let server = serve(|mut peer| async move { peer.black_hole().await }).await;

    let (mut client, connection) = connect(server.addr()).await;
    assert!(timeout(BRIEF, client.send_request(get("/"))).await.is_err());

    assert!(!connection.is_finished());
    assert!(server.log().frames().is_empty());
}

#[tokio::test]
async fn garbage_and_an_answer_in_http_1_reach_the_client_as_they_are() {
    for answer in [
        "HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n",
        "\u{7f}garbage, more than nine bytes",
    ] {
        let server = serve(move |mut peer| async move {
            peer.preface().await?;
            peer.write(answer.as_bytes()).await?;
            peer.close().await
        })
        .await;

        let (mut client, _) = connect(server.addr()).await;
        let error = client.send_request(get("/")).await.unwrap_err();

        assert_eq!(
            code_of(&error),
            Some((h2::Reason::FRAME_SIZE_ERROR, true)),
            "{error:?}"
        );
        assert!(server.log().executed().is_empty());
    }
}

#[tokio::test]
async fn a_connection_ends_with_fin_or_with_rst() {
    for reset in [false, true] {
        let server = serve(move |mut peer| async move {
            let request = peer.request().await?;
            peer.execute(&request)?;
            if reset {
                peer.reset()
            } else {
                peer.close().await
            }
        })
        .await;
        let mut socket = h2_client_bytes(server.addr()).await;

        let read = socket.read(&mut [0]).await.map_err(|error| error.kind());

        assert_eq!(
            read,
            if reset {
                Err(io::ErrorKind::ConnectionReset)
            } else {
                Ok(0)
            }
        );
        assert_eq!(server.log().executed().len(), 1);
    }
}

#[tokio::test]
async fn an_end_of_the_connection_fails_the_request_that_was_executed() {
    for reset in [false, true] {
        let server = serve(move |mut peer| async move {
            peer.settings([]).await?;
            let request = peer.request().await?;
            peer.execute(&request)?;
            if reset {
                peer.reset()
            } else {
                peer.close().await
            }
        })
        .await;

        let (mut client, _) = connect(server.addr()).await;
        let error = client.send_request(get("/")).await.unwrap_err();

        assert!(find::<io::Error>(&error).is_some(), "{error:?}");
        assert_eq!(server.log().executed().len(), 1);
    }
}

#[tokio::test]
async fn a_long_request_body_is_consumed_and_kept_in_the_log() {
    let server = serve(|mut peer| async move {
        peer.settings([]).await?;
        let request = peer.request().await?;
        assert_eq!(peer.body(&request).await?.len(), 1_000_000);
        peer.answer(&request, 200, "").await?;
        peer.close().await
    })
    .await;

    let (mut client, _) = connect(server.addr()).await;
    let response = client
        .send_request(post("/", vec![1; 1_000_000]))
        .await
        .unwrap();

    assert_eq!(response.status(), 200);
    assert_eq!(
        server.log().body(&server.log().requests()[0]),
        vec![1; 1_000_000]
    );
}

#[tokio::test]
async fn the_trailers_of_a_request_are_no_second_request() {
    let server =
        serve(|mut peer| async move { peer.settings([]).await.and(peer.behave().await) }).await;
    let trailers =
        http::HeaderMap::from_iter([(http::header::ETAG, http::HeaderValue::from_static("1"))]);

    let (mut client, _) = connect(server.addr()).await;
    let body = Body::from("abc").trailers(trailers.clone());
    client.send_request(post("/", body)).await.unwrap();

    let log = server.log();
    log.wait_until(|log| {
        log.entries().iter().any(|entry| {
        matches!(&entry.event, Event::Trailers { stream: 1, headers } if *headers == trailers)
    })
    })
    .await;
    assert_eq!(log.requests().len(), 1);
    assert_eq!(log.body(&log.requests()[0]), "abc");
}

#[tokio::test]
async fn a_long_request_body_stalls_without_window_updates() {
    let server = serve(|mut peer| async move {
        peer.without_window_updates();
        peer.settings([]).await?;
        peer.silence().await
    })
    .await;

    let (mut client, _) = connect(server.addr()).await;
    assert!(
        timeout(BRIEF, client.send_request(post("/", vec![1; 100_000])))
            .await
            .is_err()
    );

    assert_eq!(server.log().body(&server.log().requests()[0]).len(), 65_535);
}

#[tokio::test]
async fn a_script_fails_when_too_much_comes_that_it_does_not_ask_for() {
    let server = serve(|mut peer| async move {
        let request = peer.request().await?;
        peer.body(&request).await.map(drop)
    })
    .await;
    // The body of stream 1 has no end; what follows are requests, or five frames of 16 MiB.
    let post = b"\0\0\x03\x01\x04\0\0\0\x01\x83\x84\x86".to_vec();
    let request = |n: u32| {
        [
            b"\0\0\x03\x01\x05",
            &(2 * n + 3).to_be_bytes()[..],
            b"\x82\x84\x86",
        ]
        .concat()
    };
    let requests = (0..=Peer::MAX_WAITING as u32).flat_map(request).collect();
    let data = [b"\xff\xff\xff\0\0\0\0\0\x01", &vec![0; 0xff_ffff][..]]
        .concat()
        .repeat(5);

    for (connection, (more, why)) in [
        (requests, "too many requests"),
        (data, "bodies are too long"),
    ]
    .into_iter()
    .enumerate()
    {
        let mut socket = TcpStream::connect(server.addr()).await.unwrap();
        let sent: Vec<u8> = [PREFACE, &post, &more].concat();
        // The script may close before all is sent.
        let _ = socket.write_all(&sent).await;
        let log = server.log();
        log.wait_until(|log| ended(log, connection + 1).is_some())
            .await;
        assert!(ended(&log, connection + 1).unwrap().unwrap().contains(why));
    }
}

#[tokio::test]
async fn a_head_that_fills_several_frames_is_read_whole() {
    let server =
        serve(|mut peer| async move { peer.settings([]).await.and(peer.behave().await) }).await;

    let (mut client, _) = connect(server.addr()).await;
    let mut request = get("/");
    request
        .headers_mut()
        .insert("x-long", "~".repeat(40_000).parse().unwrap());
    assert_eq!(client.send_request(request).await.unwrap().status(), 200);

    let log = server.log();
    assert!(
        log.frames()
            .iter()
            .any(|(_, frame)| matches!(frame, Frame::Continuation { .. }))
    );
    assert_eq!(log.requests()[0].headers["x-long"].len(), 40_000);
}

#[tokio::test]
async fn each_connection_has_its_ordinal_so_the_second_may_behave() {
    let server = serve(|mut peer| async move {
        if peer.connection() == 1 {
            return peer.reset();
        }
        peer.settings([]).await?;
        peer.behave().await
    })
    .await;

    let (mut client, _) = connect(server.addr()).await;
    client.send_request(get("/")).await.unwrap_err();
    let (mut client, _) = connect(server.addr()).await;
    client.send_request(get("/")).await.unwrap();

    assert_eq!(server.connections(), 2);
    let executed: Vec<_> = server
        .log()
        .executed()
        .iter()
        .map(|request| request.connection)
        .collect();
    assert_eq!(executed, [2]);
}

#[tokio::test]
async fn a_dropped_server_ends_its_connections_and_closes_its_port() {
    let server = serve(|mut peer| async move { peer.black_hole().await }).await;
    let (mut client, _) = connect(server.addr()).await;
    let pending = tokio::spawn(client.send_request(get("/")));
    let (log, addr) = (server.log(), server.addr());
    log.wait_until(|log| !log.is_empty()).await;

    drop(server);

    timeout(AMPLE, pending).await.unwrap().unwrap().unwrap_err();
    log.wait_until(|log| ended(log, 1) == Some(Some("cut off with its server".to_owned())))
        .await;
    assert!(TcpStream::connect(addr).await.is_err());
}

#[tokio::test]
async fn a_script_that_panics_says_so_in_the_log() {
    let server = serve(|_| async { panic!("on purpose") }).await;

    let (mut client, _) = connect(server.addr()).await;
    client.send_request(get("/")).await.unwrap_err();

    let log = server.log();
    log.wait_until(|log| ended(log, 1) == Some(Some("panicked".to_owned())))
        .await;
}
