use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// An HTTP/1.1 server that does with each connection what a closure says.
pub(crate) struct Server {
    addr: SocketAddr,
    seen: Arc<Mutex<Seen>>,
    accepting: JoinHandle<()>,
}

#[derive(Default)]
struct Seen {
    connections: usize,
    requests: Vec<String>,
}

/// The server's end of one connection.
pub(crate) struct Exchange {
    pub(crate) socket: TcpStream,
    seen: Arc<Mutex<Seen>>,
    read: Vec<u8>,
}

impl Server {
    pub(crate) async fn bind<F, Fut>(serve: F) -> Self
    where
        F: Fn(Exchange) -> Fut + Send + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        Self::listen(TcpListener::bind("127.0.0.1:0").await.unwrap(), serve)
    }

    pub(crate) fn listen<F, Fut>(listener: TcpListener, serve: F) -> Self
    where
        F: Fn(Exchange) -> Fut + Send + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let addr = listener.local_addr().unwrap();
        let seen = Arc::<Mutex<Seen>>::default();
        let shared = Arc::clone(&seen);
        let accepting = tokio::spawn(async move {
            loop {
                let (socket, _) = listener.accept().await.unwrap();
                shared.lock().unwrap().connections += 1;
                tokio::spawn(serve(Exchange {
                    socket,
                    seen: Arc::clone(&shared),
                    read: Vec::new(),
                }));
            }
        });
        Self {
            addr,
            seen,
            accepting,
        }
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr)
    }

    pub(crate) fn connections(&self) -> usize {
        self.seen.lock().unwrap().connections
    }

    /// The heads of the requests that came.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.seen.lock().unwrap().requests.clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Exchange {
    /// Reads the head of the next request; `None` when the client has closed.
    pub(crate) async fn request(&mut self) -> Option<String> {
        loop {
            let end = self.read.windows(4).position(|bytes| bytes == b"\r\n\r\n");
            if let Some(end) = end {
                let head: Vec<u8> = self.read.drain(..end + 4).collect();
                let head = String::from_utf8(head).unwrap();
                self.seen.lock().unwrap().requests.push(head.clone());
                return Some(head);
            }
            if self.socket.read_buf(&mut self.read).await.unwrap_or(0) == 0 {
                return None;
            }
        }
    }

    pub(crate) async fn answer(&mut self, status: &str, body: &str) {
        let length = body.len();
        let answer = format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n\r\n{body}");
        self.write(&answer).await;
    }

    pub(crate) async fn write(&mut self, bytes: &str) {
        // A client that has closed is what some tests are about.
        let _ = self.socket.write_all(bytes.as_bytes()).await;
    }
}
