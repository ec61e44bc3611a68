//! An HTTP/2 server in a process of its own, so that it takes nothing from its clients' thread.

use std::convert::Infallible;
use std::env;
use std::io::{self, BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use http_body_util::Full;
use hyper::rt::{Read, Write as RtWrite};
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::runtime;
use tokio::time::{Instant, sleep_until};

use crate::tls::Acceptor;

/// What a server is like.
#[derive(Clone, Copy, Debug)]
pub struct Nature {
    /// How many streams a connection may have.
    pub streams: u32,
    /// How long an answer takes.
    pub delay: Duration,
    /// Whether it speaks TLS.
    pub tls: bool,
}

/// A server in a process of its own, which ends when this is dropped.
#[derive(Debug)]
pub struct Upstream {
    child: Child,
    asked: ChildStdin,
    answers: BufReader<ChildStdout>,
    addr: SocketAddr,
    certificate: Vec<u8>,
}

impl Upstream {
    /// Starts the program `upstream`.
    pub fn start(program: &str, nature: Nature) -> Self {
        let Nature {
            streams,
            delay,
            tls,
        } = nature;
        let mut child = Command::new(program)
            .args([streams.to_string(), delay.as_micros().to_string()])
            .arg(tls.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a process");
        let asked = child.stdin.take().expect("its standard input");
        let mut answers = BufReader::new(child.stdout.take().expect("its standard output"));
        let addr = line(&mut answers).parse().expect("an address");
        let certificate = line(&mut answers);
        let certificate = certificate.as_bytes().chunks(2).map(|digits| {
            let digits = str::from_utf8(digits).expect("digits");
            u8::from_str_radix(digits, 16).expect("digits")
        });
        Self {
            child,
            asked,
            certificate: certificate.collect(),
            answers,
            addr,
        }
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The certificate of `localhost`, in DER, where it speaks TLS.
    pub fn certificate(&self) -> &[u8] {
        &self.certificate
    }

    /// How many connections it has accepted since it was asked last.
    pub fn connections(&mut self) -> usize {
        writeln!(self.asked).expect("a listener");
        line(&mut self.answers).parse().expect("a number")
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        // Whether it has ended before makes no difference.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn line(from: &mut impl BufRead) -> String {
    let mut line = String::new();
    from.read_line(&mut line).expect("a line");
    line.trim_end().to_owned()
}

/// Serves as the arguments of this program say.
pub fn serve() {
    let args: Vec<String> = env::args().skip(1).collect();
    let [streams, delay, tls] = &args[..] else {
        panic!("streams, a delay in microseconds, and whether to speak TLS")
    };
    let nature = Nature {
        streams: streams.parse().expect("a number"),
        delay: Duration::from_micros(delay.parse().expect("a number")),
        tls: tls == "true",
    };
    let runtime = runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(accept(nature));
}

async fn accept(nature: Nature) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let acceptor = nature.tls.then(Acceptor::new);
    let certificate = acceptor.as_ref().map_or(&[][..], Acceptor::certificate);
    let certificate: String = certificate.iter().map(|b| format!("{b:02x}")).collect();
    let addr = listener.local_addr().expect("an address");
    println!("{addr}\n{certificate}");
    let accepted = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&accepted);
    thread::spawn(move || {
        for _ in io::stdin().lines() {
            println!("{}", count.swap(0, Ordering::Relaxed));
        }
        std::process::exit(0);
    });
    loop {
        let (socket, _) = listener.accept().await.expect("a connection");
        socket.set_nodelay(true).expect("an option");
        accepted.fetch_add(1, Ordering::Relaxed);
        match acceptor.clone() {
            None => drop(tokio::spawn(connection(TokioIo::new(socket), nature))),
            Some(acceptor) => {
                tokio::spawn(async move {
                    if let Ok(socket) = acceptor.accept(socket).await {
                        connection(TokioIo::new(socket), nature).await;
                    }
                });
            }
        }
    }
}

async fn connection(io: impl Read + RtWrite + Unpin + 'static, nature: Nature) {
    let Nature { streams, delay, .. } = nature;
    let answer = move |_| async move {
        if !delay.is_zero() {
            sleep_until(Instant::now() + delay).await;
        }
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::from(&[b'x'; 64][..])))
    };
    // A client that goes is no failure of the server.
    let _ = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .max_concurrent_streams(streams)
        .serve_connection(io, service_fn(answer))
        .await;
}
