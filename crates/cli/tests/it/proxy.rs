//! Ways through a proxy, and the limits of connecting.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket};

use crate::command::{command, outrigger, run, upstream};

/// A port that is taken, at which nobody listens.
fn nobody() -> TcpSocket {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    socket
}

/// A server that says these words to each client that has spoken; and how many came.
async fn saying(words: &'static [u8]) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let came = Arc::<AtomicUsize>::default();
    let count = Arc::clone(&came);
    tokio::spawn(async move {
        let mut clients = Vec::new();
        loop {
            let (mut client, _) = listener.accept().await.unwrap();
            count.fetch_add(1, Ordering::Relaxed);
            client.read_u8().await.unwrap();
            client.write_all(words).await.unwrap();
            clients.push(client);
        }
    });
    (addr, came)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_goes_through_the_proxy_it_is_told() {
    let proxy = upstream().await;
    let url = format!("http://me:secret@{}", proxy.addr());
    let called = outrigger(&[
        "call",
        "http://shop.test/echo",
        "--proxy",
        &url,
        "-d",
        "hello",
    ])
    .await;
    assert_eq!((called.code, called.stdout()), (0, "hello"), "{called:?}");
    let loaded = ["load", "http://shop.test/", "-n", "20", "-c", "4"];
    let loaded = outrigger(&[&loaded[..], &["--proxy", &url]].concat()).await;
    assert_eq!(loaded.code, 0, "{loaded:?}");
    let arrivals = proxy.log().entries();
    assert_eq!(arrivals.len(), 21);
    for arrival in arrivals {
        assert_eq!(arrival.uri.host(), Some("shop.test"));
        let authorization = &arrival.headers["proxy-authorization"];
        assert_eq!(authorization, "Basic bWU6c2VjcmV0");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_goes_through_the_proxy_of_the_environment() {
    let (proxy, server) = (upstream().await, upstream().await);
    let url = server.url("/");
    let through = format!("http://{}", proxy.addr());
    let cases: [(&[&str], &str, usize); 4] = [
        (&[], "", 1),
        (&["--no-proxy"], "", 0),
        (&[], "127.0.0.1", 0),
        (&["--proxy", &through], "*", 1),
    ];
    for (options, direct, proxied) in cases {
        let before = (proxy.log().len(), server.log().len());
        let mut command = command(&[&["call", &url], options].concat());
        command.env("http_proxy", &through).env("NO_PROXY", direct);
        let ended = run(command, b"").await;
        assert_eq!(ended.code, 0, "{ended:?}");
        let came = (proxy.log().len() - before.0, server.log().len() - before.1);
        assert_eq!(came, (proxied, 1 - proxied), "{options:?} {direct}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_environment_whose_proxy_is_none_is_refused() {
    let mut command = command(&["call", "http://shop.test/"]);
    command.env("ALL_PROXY", "ftp://me:canary@shop.test");
    let ended = run(command, b"").await;
    assert_eq!(ended.code, 2);
    let sentence = "ALL_PROXY is not the url of a proxy";
    assert!(ended.stderr.contains(sentence), "{}", ended.stderr);
    assert!(!ended.stderr.contains("canary"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proxy_that_lets_nothing_through_ends_with_6() {
    let socket = nobody();
    let nobody = socket.local_addr().unwrap();
    let proxy = format!("socks5h://me:canary@{nobody}");
    let options = ["--proxy", &proxy, "--no-retry"];
    let ended = outrigger(&[&["call", "http://shop.test/"], &options[..]].concat()).await;
    assert_eq!(ended.code, 6, "{ended:?}");
    let sentence = format!("the proxy socks5h://{nobody} cannot be reached: ");
    assert!(ended.stderr.contains(&sentence), "{}", ended.stderr);

    let (addr, came) = saying(b"HTTP/1.1 407 No\r\ncontent-length: 0\r\n\r\n").await;
    let proxy = format!("http://me:canary@{addr}");
    let ended = outrigger(&["call", "https://shop.test/", "--proxy", &proxy]).await;
    assert_eq!(ended.code, 6, "{ended:?}");
    let sentence = format!(
        "outrigger: could not connect: request to https://shop.test:443 failed: no way through the \
         proxy: the proxy http://{addr} wants other credentials (407)\n"
    );
    assert_eq!(ended.stderr, sentence);
    assert_eq!(came.load(Ordering::Relaxed), 1, "it is final");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_never_begins_ends_with_7_after_the_connect_timeout() {
    let (addr, _) = saying(b"").await;
    for url in [format!("http://{addr}/"), format!("https://{addr}/")] {
        let options = ["--http", "h2c", "--connect-timeout", "200ms", "--no-retry"];
        let ended = outrigger(&[&["call", &url], &options[..]].concat()).await;
        assert_eq!(ended.code, 7, "{ended:?}");
        let sentence = "connect timed out after 200ms";
        assert!(ended.stderr.contains(sentence), "{}", ended.stderr);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_more_connections_are_opened_than_it_is_told() {
    let server = upstream().await;
    let url = server.url("/delay/5ms");
    let load = [
        "load", &url, "-n", "60", "-c", "12", "--http", "1", "--report", "-",
    ];
    let (few, many) = (["--max-connections", "2"], ["--max-connections", "6"]);
    for (options, most) in [(&few[..], 2), (&[], 4), (&many, 6)] {
        let before = server.connections();
        let ended = outrigger(&[&load[..], options].concat()).await;
        assert_eq!(ended.code, 0, "{ended:?}");
        assert_eq!(ended.json()["connections"], most);
        assert_eq!(server.connections() - before, most);
    }
}
