use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use http::Uri;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use outrigger_testkit::{Log, Serve, Transport};
use tokio::io::{DuplexStream, duplex};
use tower_service::Service;

/// How many bytes a pipe holds in each direction.
const PIPE: usize = 64 * 1024;

/// Opens pipes to a server in memory.
pub(crate) struct Dialer<S> {
    server: Arc<S>,
    dialled: Arc<AtomicUsize>,
}

/// The client's end of a pipe.
pub(crate) struct Pipe(TokioIo<DuplexStream>);

impl<S: Serve> Dialer<S> {
    pub(crate) fn new(server: S) -> Self {
        Self {
            server: Arc::new(server),
            dialled: Arc::default(),
        }
    }

    pub(crate) fn log(&self) -> Log<S::Entry> {
        self.server.log()
    }

    /// How many pipes were opened.
    pub(crate) fn dialled(&self) -> usize {
        self.dialled.load(Ordering::Relaxed)
    }
}

impl<S> Clone for Dialer<S> {
    fn clone(&self) -> Self {
        Self {
            server: Arc::clone(&self.server),
            dialled: Arc::clone(&self.dialled),
        }
    }
}

impl<S: Serve> Service<Uri> for Dialer<S> {
    type Response = Pipe;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Pipe>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let connection = self.dialled.fetch_add(1, Ordering::Relaxed) + 1;
        let (ours, theirs) = duplex(PIPE);
        tokio::spawn(self.server.serve(Transport::new(theirs), connection));
        Box::pin(async move {
            // A transport is not there in the poll that asks for it.
            tokio::task::yield_now().await;
            Ok(Pipe(TokioIo::new(ours)))
        })
    }
}

impl Connection for Pipe {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl Read for Pipe {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl Write for Pipe {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
