use std::time::Duration;

use http::{Method, StatusCode};
use outrigger_connector::{Connector, ErrorKind, HttpVersion};
use outrigger_core::{Blame, Fault, Outcome, find};
use outrigger_testkit::Server;
use outrigger_testkit::raw::{Script, Setting};
use tokio_test::{assert_pending, task};

use crate::support::{Body, calm, get, h2c, http1, read, send};

#[tokio::test]
async fn calls_share_one_http2_connection() {
    let server = Server::bind(Script::new(|mut peer| async move {
        peer.settings([(Setting::MAX_CONCURRENT_STREAMS, 10)])
            .await?;
        loop {
            let request = peer.request().await?;
            peer.answer(&request, 200, "hello").await?;
        }
    }))
    .await
    .unwrap();
    let connector = h2c();
    for _ in 0..3 {
        let response = send(&connector, get(server.url("/x?y=1"))).await.unwrap();
        assert_eq!(read(response).await, "hello");
    }
    assert_eq!(server.connections(), 1);
    let snapshot = connector.snapshot();
    assert_eq!((snapshot.connections(), snapshot.streams()), (1, 0));
    let request = &server.log().requests()[0];
    assert_eq!(request.authority, server.addr().to_string());
    assert_eq!((&*request.scheme, &*request.path), ("http", "/x?y=1"));
}

#[tokio::test]
async fn calls_share_one_http1_connection_one_after_the_other() {
    let server = http1::Server::bind(|mut exchange| async move {
        while exchange.request().await.is_some() {
            exchange.answer("200 OK", "hello").await;
        }
    })
    .await;
    let connector = Connector::<Body>::new();
    for _ in 0..3 {
        let response = send(&connector, get(server.url("/x?y=1"))).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(read(response).await, "hello");
    }
    assert_eq!(server.connections(), 1);
    let head = &server.requests()[0];
    assert!(head.starts_with("GET /x?y=1 HTTP/1.1\r\n"), "{head}");
    assert!(
        head.contains(&format!("host: {}\r\n", server.addr())),
        "{head}"
    );
}

#[tokio::test]
async fn concurrent_http1_calls_have_a_connection_each() {
    let server = http1::Server::bind(|mut exchange| async move {
        while exchange.request().await.is_some() {
            exchange.answer("200 OK", "").await;
        }
    })
    .await;
    let connector = Connector::<Body>::new();
    let calls = (0..64).map(|_| {
        let (connector, request) = (connector.clone(), get(server.url("/")));
        tokio::spawn(async move { read(send(&connector, request).await.unwrap()).await })
    });
    for call in calls.collect::<Vec<_>>() {
        call.await.unwrap();
    }
    assert_eq!(server.requests().len(), 64);
    assert!(server.connections() <= 4, "{}", server.connections());
    assert_eq!(connector.snapshot().streams(), 0);
}

#[tokio::test]
async fn an_http1_answer_left_unread_closes_its_connection() {
    for size in [5, 1 << 20] {
        let server = http1::Server::bind(move |mut exchange| async move {
            while exchange.request().await.is_some() {
                exchange.answer("200 OK", &"x".repeat(size)).await;
            }
        })
        .await;
        let connector = Connector::<Body>::new();
        for _ in 0..3 {
            drop(send(&connector, get(server.url("/"))).await.unwrap());
        }
        assert_eq!(server.connections(), 3);
        for _ in 0..3 {
            let response = send(&connector, get(server.url("/"))).await.unwrap();
            assert_eq!(read(response).await.len(), size);
        }
        assert_eq!(
            server.connections(),
            4,
            "a body that was read keeps its own"
        );
    }
}

#[tokio::test]
async fn a_place_on_an_http1_connection_that_was_never_used_keeps_the_connection() {
    let server = http1::Server::bind(|mut exchange| async move {
        while exchange.request().await.is_some() {
            exchange.answer("200 OK", "hello").await;
        }
    })
    .await;
    let connector = Connector::<Body>::new().max_connections_per_endpoint(1);
    let held = send(&connector, get(server.url("/"))).await.unwrap();
    let mut waiting = task::spawn(send(&connector, get(server.url("/waits"))));
    assert_pending!(waiting.poll());
    assert_eq!(connector.snapshot().waiting(), 1);
    read(held).await;
    calm().await;
    let snapshot = connector.snapshot();
    assert_eq!(
        (snapshot.waiting(), snapshot.streams()),
        (0, 1),
        "it has a place"
    );
    drop(waiting);
    read(send(&connector, get(server.url("/"))).await.unwrap()).await;
    assert_eq!((server.connections(), server.requests().len()), (1, 2));
}

#[tokio::test]
async fn a_request_that_names_no_endpoint_is_refused_with_a_clear_error() {
    let connector = Connector::<Body>::new();
    let cases = [
        ("/relative", "the request's uri has no scheme"),
        (
            "ftp://a.example/",
            "the request's uri has no http or https scheme",
        ),
        (
            "http://user:secret@a.example/",
            "the request's uri has user information",
        ),
    ];
    for (uri, words) in cases {
        let error = send(&connector, get(uri)).await.unwrap_err();
        let fault = Fault::of(&error);
        assert_eq!(error.kind(), ErrorKind::Request, "{uri}");
        assert_eq!(
            (fault.outcome, fault.blame, fault.retry),
            (Outcome::Unsent, Blame::Caller, false)
        );
        let chain = format!("{error:?}");
        assert!(!chain.contains("secret"), "{chain}");
        let failure = find::<outrigger_core::Failure>(&error).unwrap();
        let source = std::error::Error::source(failure).unwrap();
        assert_eq!(source.to_string(), words);
    }
    assert_eq!(connector.snapshot().endpoints.len(), 0);
}

#[tokio::test]
async fn a_setter_begins_afresh_and_a_clone_shares() {
    let server = Server::bind(Script::new(|mut peer| async move {
        peer.settings([]).await?;
        peer.behave().await
    }))
    .await
    .unwrap();
    let connector = h2c();
    send(&connector, get(server.url("/"))).await.unwrap();
    send(&connector.clone(), get(server.url("/")))
        .await
        .unwrap();
    assert_eq!(server.connections(), 1);
    let changed = connector.clone().connect_timeout(Duration::from_secs(1));
    assert_eq!(changed.snapshot().connections(), 0);
    send(&changed, get(server.url("/"))).await.unwrap();
    assert_eq!(server.connections(), 2);
}

#[tokio::test]
async fn http2_without_asking_serves_any_method_and_upload() {
    let server = Server::bind(Script::new(|mut peer| async move {
        peer.settings([]).await?;
        let request = peer.request().await?;
        let body = peer.body(&request).await?;
        peer.answer(&request, 200, body).await?;
        peer.silence().await
    }))
    .await
    .unwrap();
    let connector = Connector::<Body>::new().http(HttpVersion::Http2);
    let mut request = get(server.url("/"));
    *request.method_mut() = Method::POST;
    *request.body_mut() = Body::from(vec![7; 100_000]);
    let response = send(&connector, request).await.unwrap();
    assert_eq!(read(response).await, vec![7; 100_000]);
    assert_eq!(connector.snapshot().streams(), 0);
}
