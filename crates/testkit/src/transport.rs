use std::{
    fmt, io,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

/// The server's end of one connection: a TCP socket or anything else that reads and writes.
pub struct Transport {
    wire: Wire,
}

enum Wire {
    Tcp(TcpStream),
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
        }
    }

    /// Wraps a TCP socket, which [`reset`](Self::reset) can end with a real RST.
    #[must_use]
    pub fn tcp(socket: TcpStream) -> Self {
        Self {
            wire: Wire::Tcp(socket),
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
            Wire::Other(_) => Ok(()),
        }
    }

    fn wire(&mut self) -> Pin<&mut dyn Duplex> {
        match &mut self.wire {
            Wire::Tcp(socket) => Pin::new(socket),
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
        self.wire().poll_read(cx, buf)
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
            Wire::Other(_) => "other",
        };
        f.debug_struct("Transport").field("wire", &kind).finish()
    }
}
