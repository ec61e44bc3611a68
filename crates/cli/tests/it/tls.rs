//! Certificates: whom the command believes, and whom it shows.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use outrigger_testkit::upstream::Upstream;
use outrigger_testkit::{Serve, Transport};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::RootCertStore;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::server::WebPkiClientVerifier;

use crate::command::{fresh, outrigger};

fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new([]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// Serves TLS to clients that show a certificate of this authority, and to no others.
async fn serve(authority: &CertifiedIssuer<'static, KeyPair>) -> SocketAddr {
    let provider = Arc::new(default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(authority.der().clone()).unwrap();
    let clients = WebPkiClientVerifier::builder_with_provider(roots.into(), Arc::clone(&provider));
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(["localhost".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, authority).unwrap();
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(clients.build().unwrap())
        .with_single_cert(vec![certificate.der().clone()], PrivateKeyDer::from(key))
        .unwrap();
    let (acceptor, upstream) = (TlsAcceptor::from(Arc::new(config)), Upstream::new());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (socket, _) = listener.accept().await.unwrap();
            let (acceptor, upstream) = (acceptor.clone(), upstream.clone());
            tokio::spawn(async move {
                if let Ok(tls) = acceptor.accept(socket).await {
                    upstream.serve(Transport::new(tls), 1).await;
                }
            });
        }
    });
    addr
}

fn write(name: &str, pem: String) -> PathBuf {
    let path = fresh(name);
    fs::write(&path, pem).unwrap();
    path
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_believes_the_authority_it_is_given_and_shows_its_own_certificate() {
    let authority = authority();
    let url = format!("https://localhost:{}/", serve(&authority).await.port());
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(["me".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &authority).unwrap();
    let [authority, certificate, key] = [
        ("authority.pem", authority.pem()),
        ("client.pem", certificate.pem()),
        ("client.key", key.serialize_pem()),
    ]
    .map(|(name, pem)| write(name, pem).to_str().unwrap().to_owned());

    let stranger = outrigger(&["call", &url]).await;
    assert_eq!(stranger.code, 6, "{}", stranger.stderr);
    assert!(
        stranger.stderr.contains("tls handshake failed"),
        "{}",
        stranger.stderr
    );
    let nameless = outrigger(&["call", &url, "--cacert", &authority]).await;
    assert!([6, 9].contains(&nameless.code), "{nameless:?}");
    let with = [
        "--cacert",
        &authority,
        "--cert",
        &certificate,
        "--key",
        &key,
    ];
    let known = outrigger(&[&["call", &url], &with[..]].concat()).await;
    assert_eq!((known.code, &*known.stderr), (0, ""));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_without_certificates_is_refused() {
    let file = write("empty.pem", "no certificate".to_owned());
    let path = file.to_str().unwrap();
    for options in [
        &["--cacert", path][..],
        &["--cacert", "/nowhere/at-all"],
        &["--cert", path, "--key", path],
    ] {
        let ended = outrigger(&[&["call", "https://localhost/"], options].concat()).await;
        assert_eq!(ended.code, 2, "{ended:?}");
        assert!(ended.stderr.contains("cannot use "), "{}", ended.stderr);
    }
    let alone = outrigger(&["call", "https://localhost/", "--cert", path]).await;
    assert_eq!(alone.code, 2);
}
