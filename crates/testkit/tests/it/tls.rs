use std::{io, sync::Arc};

use http::Version;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use outrigger_testkit::{Body, Server, Tls, upstream::Upstream};
use rustls::{
    ClientConfig, RootCertStore, ServerConfig, crypto::aws_lc_rs, pki_types::PrivatePkcs8KeyDer,
};

use crate::client::find;

/// A server's configuration for `localhost` with this ALPN, and a client that trusts it.
fn trust(
    alpn: &[&str],
) -> (
    Arc<ServerConfig>,
    Client<HttpsConnector<HttpConnector>, Body>,
) {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let rcgen::CertifiedKey { cert, signing_key } =
        rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivatePkcs8KeyDer::from(signing_key.serialize_der());
    let mut server = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key.into())
        .unwrap();
    server.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    let mut roots = RootCertStore::empty();
    roots.add(cert.der().clone()).unwrap();
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let https = HttpsConnectorBuilder::new()
        .with_tls_config(client)
        .https_only()
        .enable_all_versions()
        .build();
    (
        Arc::new(server),
        Client::builder(TokioExecutor::new()).build(https),
    )
}

fn https<S>(server: &Server<S>, path: &str) -> http::Uri {
    format!("https://localhost:{}{path}", server.addr().port())
        .parse()
        .unwrap()
}

#[tokio::test]
async fn alpn_chooses_the_version() {
    for (alpn, version) in [
        (&["h2", "http/1.1"][..], Version::HTTP_2),
        (&["http/1.1"][..], Version::HTTP_11),
    ] {
        let (config, client) = trust(alpn);
        let server = Server::bind(Tls::new(Upstream::new(), config))
            .await
            .unwrap();

        let response = client.get(https(&server, "/status/201")).await.unwrap();

        assert_eq!(
            (response.status().as_u16(), response.version()),
            (201, version)
        );
        assert_eq!(server.log().executed()[0].version, version);
    }
}

#[tokio::test]
async fn abort_is_a_tcp_reset_through_tls_too() {
    let (config, client) = trust(&["http/1.1"]);
    let server = Server::bind(Tls::new(Upstream::new(), config))
        .await
        .unwrap();

    let error = client.get(https(&server, "/abort")).await.unwrap_err();

    assert_eq!(
        find::<io::Error>(&error).map(io::Error::kind),
        Some(io::ErrorKind::ConnectionReset),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_client_that_does_not_trust_the_certificate_gets_no_connection() {
    let (config, _) = trust(&[]);
    let (_, stranger) = trust(&[]);
    let server = Server::bind(Tls::new(Upstream::new(), config))
        .await
        .unwrap();

    let error = stranger.get(https(&server, "/")).await.unwrap_err();

    assert!(error.is_connect());
    assert!(
        format!("{error:?}").contains("InvalidCertificate"),
        "{error:?}"
    );
    assert!(server.log().is_empty());
}
