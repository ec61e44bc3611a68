//! Calls over a Unix socket.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use http::Version;
use outrigger_connector::{Connector, ErrorKind, HttpVersion};
use outrigger_core::{Blame, Fault, Outcome};
use outrigger_testkit::upstream::{Arrival, Upstream};
use outrigger_testkit::{Log, Serve, Transport};
use tokio::net::UnixListener;
use tokio::task::JoinHandle;

use crate::support::{Body, get, read, send};

const UNSENT: Fault = Fault::new(Outcome::Unsent);

/// An upstream behind a Unix socket, which goes with it.
struct Server {
    path: PathBuf,
    log: Log<Arrival>,
    accepting: JoinHandle<()>,
}

impl Server {
    fn bind(name: &str) -> Self {
        let path = path(name);
        let listener = UnixListener::bind(&path).unwrap();
        let upstream = Arc::new(Upstream::new());
        let log = upstream.log();
        let accepting = tokio::spawn(async move {
            for connection in 1.. {
                let (socket, _) = listener.accept().await.unwrap();
                let upstream = Arc::clone(&upstream);
                let serve = async move {
                    upstream.serve(Transport::new(socket), connection).await;
                };
                tokio::spawn(serve);
            }
        });
        Self {
            path,
            log,
            accepting,
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
        let _ = std::fs::remove_file(&self.path);
    }
}

/// A path of this test's own, short enough for a socket.
fn path(name: &str) -> PathBuf {
    let process = std::process::id();
    std::env::temp_dir().join(format!("outrigger-{process}-{name}"))
}

#[tokio::test]
async fn http1_and_http2_go_over_a_unix_socket() {
    let versions = [
        (HttpVersion::Http1, Version::HTTP_11),
        (HttpVersion::H2c, Version::HTTP_2),
    ];
    for (version, spoken) in versions {
        let server = Server::bind("upstream");
        let connector = Connector::<Body>::unix(&server.path).http(version);
        for path in ["/", "/status/204"] {
            let url = format!("http://shop.test{path}");
            let response = send(&connector, get(url)).await.unwrap();
            assert!(response.status().is_success());
            read(response).await;
        }
        assert_eq!(connector.snapshot().connections(), 1);
        let arrivals = server.log.entries();
        let came = |a: &Arrival| (a.connection, a.version, a.uri.path().to_owned());
        let came: Vec<_> = arrivals.iter().map(came).collect();
        let expected = ["/", "/status/204"].map(|path| (1, spoken, path.to_owned()));
        assert_eq!(came, expected);
    }
}

#[tokio::test]
async fn a_socket_that_is_not_there_is_unsent() {
    let connector = Connector::<Body>::unix(Path::new("/nowhere/at-all"));
    let error = send(&connector, get("http://shop.test/")).await;
    let error = error.unwrap_err();
    assert_eq!((error.kind(), error.fault()), (ErrorKind::Connect, UNSENT));
}

#[tokio::test]
async fn https_is_refused_for_good() {
    let server = Server::bind("https");
    let connector = Connector::<Body>::unix(&server.path);
    let error = send(&connector, get("https://shop.test/")).await;
    let error = error.unwrap_err();
    let callers = UNSENT.blame(Blame::Caller).without_retry();
    assert_eq!((error.kind(), error.fault()), (ErrorKind::Connect, callers));
    assert_eq!(server.log.len(), 0);
}
