use std::fmt;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::{Connected, Connection};

use crate::head::Forward;

/// A TCP connection, with or without TLS, perhaps through a proxy.
pub struct Transport {
    io: Box<dyn Io>,
    http2: bool,
    forward: Option<Forward>,
}

trait Io: Read + Write + Send + Unpin {}

impl<T: Read + Write + Send + Unpin> Io for T {}

impl Transport {
    pub(crate) fn new(io: impl Read + Write + Send + Unpin + 'static) -> Self {
        Self::negotiated(io, false)
    }

    /// One on which ALPN has chosen HTTP/2, or has not.
    pub(crate) fn negotiated(io: impl Read + Write + Send + Unpin + 'static, http2: bool) -> Self {
        Self {
            io: Box::new(io),
            http2,
            forward: None,
        }
    }

    /// The same, ending at a proxy that sends requests on.
    pub(crate) fn forwarding(mut self, forward: Forward) -> Self {
        self.forward = Some(forward);
        self
    }
}

impl Connection for Transport {
    fn connected(&self) -> Connected {
        let mut connected = Connected::new();
        if self.http2 {
            connected = connected.negotiated_h2();
        }
        match &self.forward {
            Some(forward) => connected.proxy(true).extra(forward.clone()),
            None => connected,
        }
    }
}

impl Read for Transport {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl Write for Transport {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, bufs)
    }
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transport").finish_non_exhaustive()
    }
}
