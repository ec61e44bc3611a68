use std::time::Duration;

use outrigger_connector::{Connector, ConnectorError, ErrorKind, HttpVersion};
use outrigger_core::{Fault, Outcome, Phase, find};
use outrigger_testkit::raw::{Script, Setting};
use tokio::net::TcpListener;

use crate::support::tls::{Authority, Server};
use crate::support::{Body, get, send};

/// Answers every request, ten at a time.
fn ten_streams() -> Script {
    Script::new(|mut peer| async move {
        peer.settings([(Setting::MAX_CONCURRENT_STREAMS, 10)])
            .await?;
        peer.behave().await
    })
}

#[tokio::test]
async fn alpn_chooses_http2_and_a_cold_burst_opens_no_more_than_its_streams_need() {
    let authority = Authority::new();
    let identity = authority.sign("localhost", 2000, 3000);
    let server = Server::bind(identity, &["h2", "http/1.1"], ten_streams()).await;
    let connector = Connector::<Body>::new()
        .root_certificate(authority.certificate.clone())
        .max_connections_per_endpoint(52);
    let calls = (0..10).map(|_| {
        let (connector, request) = (connector.clone(), get(server.url("/")));
        tokio::spawn(async move { send(&connector, request).await.unwrap().status() })
    });
    for call in calls.collect::<Vec<_>>() {
        assert_eq!(call.await.unwrap(), 200);
    }
    assert_eq!(server.connections(), 1);
    assert_eq!(server.log().executed().len(), 10);
    assert_eq!(server.log().requests()[0].scheme, "https");
}

#[tokio::test]
async fn a_certificate_that_is_not_believed_is_unsent_and_final_after_one_connection() {
    let (ours, foreign) = (Authority::new(), Authority::new());
    let cases = [
        ("a foreign authority", foreign.sign("localhost", 2000, 3000)),
        ("another host", ours.sign("other.example", 2000, 3000)),
        ("expired", ours.sign("localhost", 2000, 2001)),
        ("not yet valid", ours.sign("localhost", 3000, 3001)),
    ];
    for (case, identity) in cases {
        let server = Server::bind(identity, &["h2"], ten_streams()).await;
        let connector = Connector::<Body>::new().root_certificate(ours.certificate.clone());
        let error = send(&connector, get(server.url("/"))).await.unwrap_err();
        let fault = Fault::new(Outcome::Unsent).without_retry();
        assert_eq!(
            (error.kind(), error.fault()),
            (ErrorKind::Tls, fault),
            "{case}"
        );
        assert_eq!(Fault::of(&error), fault, "{case}");
        assert_eq!((server.connections(), server.log().len()), (1, 0), "{case}");
        assert_eq!(connector.snapshot().connecting(), 0, "{case}");
    }
}

#[tokio::test]
async fn a_server_without_http2_is_refused_where_only_http2_will_do() {
    let authority = Authority::new();
    for alpn in [&[][..], &["http/1.1"]] {
        let identity = authority.sign("localhost", 2000, 3000);
        let server = Server::bind(identity, alpn, ten_streams()).await;
        let connector = Connector::<Body>::new()
            .root_certificate(authority.certificate.clone())
            .http(HttpVersion::Http2);
        let error = send(&connector, get(server.url("/"))).await.unwrap_err();
        let fault = Fault::new(Outcome::Unsent).without_retry();
        assert_eq!((error.kind(), error.fault()), (ErrorKind::Tls, fault));
        assert_eq!(server.connections(), 1);
    }
}

#[tokio::test]
async fn the_connect_timeout_covers_the_tls_handshake() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/", listener.local_addr().unwrap());
    let connector = Connector::<Body>::new().connect_timeout(Duration::from_millis(200));
    assert_times_out(&send(&connector, get(url)).await.unwrap_err());
}

#[tokio::test]
async fn the_connect_timeout_covers_the_settings_behind_tls() {
    let authority = Authority::new();
    let identity = authority.sign("localhost", 2000, 3000);
    let silent = Script::new(|mut peer| async move { peer.silence().await });
    let server = Server::bind(identity, &["h2"], silent).await;
    let connector = Connector::<Body>::new()
        .root_certificate(authority.certificate.clone())
        .connect_timeout(Duration::from_millis(500));
    assert_times_out(&send(&connector, get(server.url("/"))).await.unwrap_err());
    assert_eq!(
        (server.connections(), server.log().requests().len()),
        (1, 0)
    );
}

fn assert_times_out(error: &ConnectorError) {
    let elapsed = find::<outrigger_core::Elapsed>(error).unwrap();
    assert_eq!(elapsed.phase(), Phase::Connect);
    assert_eq!(Fault::of(error).outcome, Outcome::Unsent);
}
