use std::{
    fmt, io,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::{Buf, BytesMut};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf},
    net::TcpStream,
};

/// The server's end of one connection: a TCP socket or anything else that reads and writes.
pub struct Transport {
    wire: Wire,
    /// Bytes that were read to look at them, and are still to be read.
    ahead: BytesMut,
}

enum Wire {
    Tcp(TcpStream),
    #[cfg(feature = "tls")]
    Tls(Box<tokio_rustls::server::TlsStream<Transport>>),
    Other(Box<dyn Duplex>),
}

trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

impl Transport {
    /// Wraps anything that reads and writes, such as one half of [`tokio::io::duplex`].
    #[must_use]
    pub fn new(io: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) -> Self {
        Self {
            wire: Wire::Other(Box::new(io)),
            ahead: BytesMut::new(),
        }
    }

    /// Wraps a TCP socket, which [`reset`](Self::reset) can end with a real RST.
    #[must_use]
    pub fn tcp(socket: TcpStream) -> Self {
        Self {
            wire: Wire::Tcp(socket),
            ahead: BytesMut::new(),
        }
    }

    /// Wraps the TLS stream over another transport, which still ends with that one's reset.
    #[cfg(feature = "tls")]
    pub(crate) fn tls(stream: tokio_rustls::server::TlsStream<Transport>) -> Self {
        Self {
            wire: Wire::Tls(Box::new(stream)),
            ahead: BytesMut::new(),
        }
    }

    /// Ends the connection at once: a TCP RST, or for another transport its plain drop.
    ///
    /// # Errors
    ///
    /// When the operating system refuses to set the linger time to zero.
    pub fn reset(self) -> io::Result<()> {
        match self.wire {
            Wire::Tcp(socket) => socket.set_zero_linger(),
            #[cfg(feature = "tls")]
            Wire::Tls(stream) => stream.into_inner().0.reset(),
            Wire::Other(_) => Ok(()),
        }
    }

    /// Says whether `words` come first. Nothing is taken away.
    pub(crate) async fn begins_with(&mut self, words: &[u8]) -> io::Result<bool> {
        loop {
            let len = self.ahead.len().min(words.len());
            if len == words.len() || self.ahead[..len] != words[..len] {
                return Ok(self.ahead[..len] == *words);
            }
            let mut more = [0; 64];
            match self.wire().read(&mut more).await? {
                0 => return Ok(false),
                read => self.ahead.extend_from_slice(&more[..read]),
            }
        }
    }

    fn wire(&mut self) -> Pin<&mut dyn Duplex> {
        match &mut self.wire {
            Wire::Tcp(socket) => Pin::new(socket),
            #[cfg(feature = "tls")]
            Wire::Tls(stream) => Pin::new(stream),
            Wire::Other(io) => Pin::new(io),
        }
    }
}

impl AsyncRead for Transport {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.ahead.is_empty() {
            return self.wire().poll_read(cx, buf);
        }
        let len = self.ahead.len().min(buf.remaining());
        buf.put_slice(&self.ahead[..len]);
        self.ahead.advance(len);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Transport {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.wire().poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.wire().poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.wire().poll_shutdown(cx)
    }
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.wire {
            Wire::Tcp(_) => "tcp",
            #[cfg(feature = "tls")]
            Wire::Tls(_) => "tls",
            Wire::Other(_) => "other",
        };
        f.debug_struct("Transport").field("wire", &kind).finish()
    }
}
