//! Ways through proxies, over real sockets.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use hyper_util::client::legacy::connect::dns::Name;
use outrigger_connector::{Connector, ConnectorError, ErrorKind, HttpVersion, Proxies};
use outrigger_core::{Elapsed, Fault, Outcome, Phase, find};
use outrigger_testkit::Server;
use outrigger_testkit::raw::Script;
use tokio::net::TcpSocket;
use tokio::time::timeout;
use tower::service_fn;

use crate::support::proxy::{Manner, Proxy};
use crate::support::{Body, get, read, send, tls};

const LONG: Duration = Duration::from_secs(10);
const SHORT: Duration = Duration::from_millis(300);

const USER: &str = "me:canary@";
/// `me:canary`, in the words of Basic.
const BASIC: &str = "proxy-authorization: Basic bWU6Y2FuYXJ5\r\n";

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nproxy";

fn through(url: &str) -> Connector<Body> {
    Connector::new().proxies(Proxies::all(url).unwrap())
}

fn h2() -> Script {
    Script::new(|mut peer| async move {
        peer.settings([]).await?;
        peer.behave().await
    })
}

async fn h2c_server() -> Server<Script> {
    Server::bind(h2()).await.unwrap()
}

fn named(server: &Server<Script>) -> String {
    format!("http://shop.test:{}/", server.addr().port())
}

/// The whole chain of an error, and everything that can be seen of it.
fn text(error: &ConnectorError) -> String {
    format!("{error} {error:?} {error:#?}")
}

async fn failed(connector: &Connector<Body>, url: &str) -> ConnectorError {
    let error = timeout(LONG, send(connector, get(url))).await.unwrap();
    let error = error.unwrap_err();
    assert!(!text(&error).contains("canary"), "{error:#?}");
    assert!(!format!("{connector:?}").contains("canary"));
    assert_eq!(connector.snapshot().connecting(), 0);
    error
}

#[track_caller]
fn assert_says(error: &ConnectorError, retry: bool, why: &str) {
    let mut fault = Fault::new(Outcome::Unsent);
    fault.retry = retry;
    assert_eq!(
        (error.kind(), error.fault()),
        (ErrorKind::Proxy, fault),
        "{error:#?}"
    );
    assert_eq!(Fault::of(error), fault);
    let chain = std::iter::successors(Some(error as &dyn std::error::Error), |e| e.source());
    let chain: Vec<_> = chain.map(ToString::to_string).collect();
    assert!(chain.iter().any(|words| words.ends_with(why)), "{chain:?}");
}

#[tokio::test]
async fn https_goes_through_a_tunnel_and_speaks_http2_in_it() {
    let authority = tls::Authority::new();
    let identity = authority.sign("localhost", 2000, 3000);
    let server = tls::Server::bind(identity, &["h2", "http/1.1"], h2()).await;
    let proxy = Proxy::bind(Manner::Tunnels).await;
    let connector = through(&proxy.url(&format!("http://{USER}")))
        .root_certificate(authority.certificate.clone());
    for _ in 0..3 {
        let response = send(&connector, get(server.url("/"))).await.unwrap();
        assert_eq!(response.version(), http::Version::HTTP_2);
    }
    let [head] = &proxy.heard()[..] else {
        panic!("one tunnel for all calls");
    };
    let host = server.url("").replace("https://", "");
    assert!(head.starts_with(&format!("CONNECT {host} HTTP/1.1\r\n")));
    assert!(head.contains(&format!("host: {host}\r\n")), "{head}");
    assert!(head.contains(BASIC), "{head}");
    let requests = server.log().requests();
    assert_eq!((server.connections(), requests.len()), (1, 3));
    assert!(!format!("{requests:?}").contains("authorization"));
}

#[tokio::test]
async fn a_certificate_in_the_tunnel_is_the_endpoints_and_not_the_proxys() {
    let (ours, foreign) = (tls::Authority::new(), tls::Authority::new());
    let identity = foreign.sign("localhost", 2000, 3000);
    let server = tls::Server::bind(identity, &["h2"], h2()).await;
    let proxy = Proxy::bind(Manner::Tunnels).await;
    let connector = through(&proxy.url("http://")).root_certificate(ours.certificate.clone());
    let error = failed(&connector, &server.url("/")).await;
    assert_eq!(error.kind(), ErrorKind::Tls);
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn a_proxy_may_be_behind_tls_itself() {
    let authority = tls::Authority::new();
    let server = authority.sign("localhost", 2000, 3000);
    let server = tls::Server::bind(server, &["h2"], h2()).await;
    let acceptor = authority.sign("localhost", 2000, 3000).acceptor(&[]);
    let proxy = Proxy::bind_tls(Manner::Tunnels, acceptor).await;
    let url = proxy.url(&format!("https://{USER}"));
    let connector = through(&url).root_certificate(authority.certificate.clone());
    send(&connector, get(server.url("/"))).await.unwrap();
    assert!(proxy.heard()[0].contains(BASIC));

    let stranger = through(&url);
    let error = failed(&stranger, &server.url("/")).await;
    assert_says(
        &error,
        false,
        &format!("{} cannot be reached", proxy.url("https://")),
    );
    assert_eq!(proxy.heard().len(), 1, "nothing is shown to a stranger");
}

#[tokio::test]
async fn plain_http1_is_handed_to_the_proxy_whole() {
    let proxy = Proxy::bind(Manner::Answers(OK)).await;
    let connector = through(&proxy.url(&format!("http://{USER}")));
    for path in ["/", "/x?y=1"] {
        let url = format!("http://shop.test{path}");
        let response = send(&connector, get(&url)).await.unwrap();
        assert_eq!(read(response).await, "proxy");
    }
    assert_eq!(connector.snapshot().connections(), 1);
    let heads = proxy.heard();
    for (head, path) in heads.iter().zip(["/", "/x?y=1"]) {
        assert!(head.starts_with(&format!("GET http://shop.test{path} HTTP/1.1\r\n")));
        assert!(
            head.contains("host: shop.test\r\n") && head.contains(BASIC),
            "{head}"
        );
    }
    assert_eq!(heads.len(), 2);
}

#[tokio::test]
async fn http2_by_prior_knowledge_goes_through_a_tunnel_whose_first_bytes_are_kept() {
    let server = h2c_server().await;
    for version in [HttpVersion::Http2, HttpVersion::H2c] {
        let proxy = Proxy::bind(Manner::TunnelsEagerly).await;
        let connector = through(&proxy.url("http://")).http(version);
        send(&connector, get(named(&server))).await.unwrap();
        let target = named(&server).replace("http://", "").replace('/', "");
        let head = proxy.heard().remove(0);
        assert!(head.starts_with(&format!("CONNECT {target} HTTP/1.1\r\n")));
        assert!(!head.contains("authorization"), "{head}");
    }
}

#[tokio::test]
async fn what_a_proxy_answers_to_connect_is_told_as_the_proxys() {
    let cases = [
        ("407 Who are you", false, "wants other credentials (407)"),
        ("403 Forbidden", false, "refused the tunnel (403)"),
        ("302 Found", false, "refused the tunnel (302)"),
        ("429 Too Many Requests", true, "opened no tunnel (429)"),
        ("502 Bad Gateway", true, "opened no tunnel (502)"),
    ];
    for (status, retry, why) in cases {
        let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n").leak();
        let proxy = Proxy::bind(Manner::Answers(answer)).await;
        let connector = through(&proxy.url(&format!("http://{USER}")));
        let error = failed(&connector, "https://shop.test/").await;
        let why = format!("the proxy {} {why}", proxy.url("http://"));
        assert_says(&error, retry, &why);
        assert_eq!(proxy.heard().len(), 1);
    }
    let proxy = Proxy::bind(Manner::Answers("SSH-2.0-server\r\n\r\n")).await;
    let error = failed(&through(&proxy.url("http://")), "https://shop.test/").await;
    assert_says(&error, true, "did not answer as one does");
}

#[tokio::test]
async fn a_proxy_that_nobody_runs_is_told_as_the_proxys() {
    // The port is taken, and nobody listens at it.
    let nobody = TcpSocket::new_v4().unwrap();
    nobody.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let addr = nobody.local_addr().unwrap();
    for scheme in ["http", "socks5", "socks5h"] {
        for url in ["http://127.0.0.1:9/", "https://127.0.0.1:9/"] {
            let connector = through(&format!("{scheme}://{USER}{addr}"));
            let error = failed(&connector, url).await;
            let why = format!("the proxy {scheme}://{addr} cannot be reached");
            assert_says(&error, true, &why);
        }
    }
}

#[tokio::test]
async fn a_proxy_that_says_nothing_ends_with_the_connect_timeout() {
    for scheme in ["http", "socks5h"] {
        let proxy = Proxy::bind(Manner::Silent).await;
        let connector = through(&proxy.url(&format!("{scheme}://{USER}"))).connect_timeout(SHORT);
        let error = failed(&connector, "https://shop.test/").await;
        assert_eq!(error.kind(), ErrorKind::ConnectTimeout);
        assert_eq!(find::<Elapsed>(&error).unwrap().phase(), Phase::Connect);
        // The connection to it is not left open.
        timeout(LONG, proxy.left()).await.unwrap();
    }
}

#[tokio::test]
async fn socks_is_told_the_name_and_shown_the_password() {
    let server = h2c_server().await;
    let port = server.addr().port();
    let proxy = Proxy::bind(Manner::Socks(Some(("me", "canary")), 0)).await;
    let connector = through(&proxy.url(&format!("socks5h://{USER}"))).http(HttpVersion::H2c);
    send(&connector, get(named(&server))).await.unwrap();
    for url in [server.url("/"), format!("http://[::1]:{port}/")] {
        send(&connector, get(url)).await.unwrap();
    }
    let told = [
        format!("3 shop.test:{port}"),
        format!("1 127.0.0.1:{port}"),
        format!("4 ::1:{port}"),
    ];
    assert_eq!(proxy.heard(), told);
    assert_eq!(server.log().executed().len(), 3);
}

#[tokio::test]
async fn socks_may_be_told_an_address_that_was_resolved_here() {
    let server = h2c_server().await;
    let port = server.addr().port();
    let proxy = Proxy::bind(Manner::Socks(None, 0)).await;
    let resolver = service_fn(|name: Name| async move {
        let address = match name.as_str() {
            "shop.test" => [192, 0, 2, 7],
            _ => [127, 0, 0, 1],
        };
        Ok::<_, Infallible>([SocketAddr::from((address, 0))].into_iter())
    });
    let connector = through(&proxy.url("socks5://"))
        .resolver(resolver)
        .http(HttpVersion::H2c);
    send(&connector, get(named(&server))).await.unwrap();
    assert_eq!(proxy.heard(), [format!("1 192.0.2.7:{port}")]);
}

#[tokio::test]
async fn https_goes_through_socks_as_well() {
    let authority = tls::Authority::new();
    let identity = authority.sign("localhost", 2000, 3000);
    let server = tls::Server::bind(identity, &["h2"], h2()).await;
    // This one passes nothing on until the client has spoken: TLS clients speak first.
    let proxy = Proxy::bind(Manner::SocksInTurn).await;
    let connector =
        through(&proxy.url("socks5h://")).root_certificate(authority.certificate.clone());
    let response = send(&connector, get(server.url("/"))).await.unwrap();
    assert_eq!(response.version(), http::Version::HTTP_2);
}

#[tokio::test]
async fn what_a_socks_proxy_refuses_is_told_as_the_proxys() {
    let cases = [
        (
            Some(("me", "other")),
            0,
            false,
            "does not accept the credentials",
        ),
        (
            Some(("me", "canary")),
            2,
            false,
            "does not allow the connection",
        ),
        (Some(("me", "canary")), 4, true, "cannot reach the host"),
        (None, 5, true, "was refused by the host"),
        (None, 8, false, "does not connect to such hosts"),
        (None, 99, true, "has failed"),
    ];
    for (credentials, reply, retry, why) in cases {
        let proxy = Proxy::bind(Manner::Socks(credentials, reply)).await;
        let connector = through(&proxy.url(&format!("socks5h://{USER}")));
        let error = failed(&connector, "https://shop.test/").await;
        let why = format!("the proxy {} {why}", proxy.url("socks5h://"));
        assert_says(&error, retry, &why);
    }
    let proxy = Proxy::bind(Manner::Socks(Some(("me", "canary")), 0)).await;
    let error = failed(&through(&proxy.url("socks5h://")), "http://shop.test/").await;
    assert_says(&error, false, "wants credentials");
}

#[tokio::test]
async fn a_host_named_for_it_is_reached_directly() {
    let (server, proxy) = (h2c_server().await, Proxy::bind(Manner::Silent).await);
    let proxies = Proxies::all(&proxy.url("http://")).unwrap();
    let connector = Connector::<Body>::new()
        .proxies(proxies.direct("127.0.0.0/8"))
        .http(HttpVersion::H2c);
    send(&connector, get(server.url("/"))).await.unwrap();
    assert_eq!(server.connections(), 1);
}
