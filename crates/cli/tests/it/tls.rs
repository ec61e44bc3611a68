//! Certificates: whom the command believes, and whom it shows.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use outrigger_testkit::upstream::Upstream;
use outrigger_testkit::{Serve, Transport};
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair,
    date_time_ymd,
};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{ConfigBuilder, RootCertStore, ServerConfig, WantsVerifier};

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
    let clients = WebPkiClientVerifier::builder_with_provider(roots.into(), provider);
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(["localhost".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, authority).unwrap();
    let config = tls()
        .with_client_cert_verifier(clients.build().unwrap())
        .with_single_cert(vec![certificate.der().clone()], PrivateKeyDer::from(key));
    accepting(config.unwrap()).await.0
}

/// Serves TLS with this certificate; and how many clients came.
async fn serve_with(certificate: &Certificate, key: KeyPair) -> (SocketAddr, Arc<AtomicUsize>) {
    let config = tls()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], PrivateKeyDer::from(key));
    accepting(config.unwrap()).await
}

fn tls() -> ConfigBuilder<ServerConfig, WantsVerifier> {
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()));
    config.with_safe_default_protocol_versions().unwrap()
}

async fn accepting(mut config: ServerConfig) -> (SocketAddr, Arc<AtomicUsize>) {
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let (acceptor, upstream) = (TlsAcceptor::from(Arc::new(config)), Upstream::new());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let came = Arc::<AtomicUsize>::default();
    let count = Arc::clone(&came);
    tokio::spawn(async move {
        loop {
            let (socket, _) = listener.accept().await.unwrap();
            count.fetch_add(1, Ordering::Relaxed);
            let (acceptor, upstream) = (acceptor.clone(), upstream.clone());
            tokio::spawn(async move {
                if let Ok(tls) = acceptor.accept(socket).await {
                    upstream.serve(Transport::new(tls), 1).await;
                }
            });
        }
    });
    (addr, came)
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
async fn a_certificate_that_will_not_do_ends_with_6_after_one_connection() {
    let authority = authority();
    let roots = write("roots.pem", authority.pem());
    let roots = roots.to_str().unwrap();
    let signed = |name: &str, from: i32, until: i32| {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        params.not_before = date_time_ymd(from, 1, 1);
        params.not_after = date_time_ymd(until, 1, 1);
        (params.signed_by(&key, &authority).unwrap(), key)
    };
    let own = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
    let name = &mut params.distinguished_name;
    name.push(DnType::CommonName, "nobody's child");
    let own = (params.self_signed(&own).unwrap(), own);
    let cases = [
        (signed("localhost", 2000, 3000), 0, ""),
        (signed("other.test", 2000, 3000), 6, "not valid for name"),
        (signed("localhost", 2000, 2001), 6, "expired"),
        (signed("localhost", 3000, 3001), 6, "not valid yet"),
        (own, 6, "UnknownIssuer"),
    ];
    for ((certificate, key), code, why) in cases {
        let (addr, came) = serve_with(&certificate, key).await;
        let url = format!("https://localhost:{}/", addr.port());
        let ended = outrigger(&["call", &url, "--cacert", roots]).await;
        assert_eq!(ended.code, code, "{why}: {ended:?}");
        assert_eq!(came.load(Ordering::Relaxed), 1, "{why}");
        if code == 6 {
            let sentence = "outrigger: could not connect: request to https://localhost:";
            assert!(ended.stderr.starts_with(sentence), "{}", ended.stderr);
            assert!(ended.stderr.contains("tls handshake failed"), "{ended:?}");
            assert!(ended.stderr.contains(why), "{why}: {}", ended.stderr);
            assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
        }
    }
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
