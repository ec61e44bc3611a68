use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};

use hyper::rt::{Read, ReadBuf, ReadBufCursor, Write};

use crate::frames::{Frames, Word};
use crate::link::Answers;
use crate::socket::Socket;

/// How much is read at once: as much as hyper lets a peer put into one HTTP/2 frame.
const BUFFER: usize = 16 * 1024;

/// A connection's I/O that tells the pool what the peer says and, by its [`Socket`], its end.
pub(crate) struct Watched<T> {
    io: T,
    listener: Option<Listener>,
    socket: Socket,
}

/// Safe code cannot see what a read has put into hyper's buffer: what is listened to passes through
/// a buffer of our own.
struct Listener {
    frames: Frames,
    buffer: Box<[u8]>,
    answers: Answers,
}

impl<T> Watched<T> {
    /// Listens to an HTTP/2 connection.
    pub(crate) fn http2(io: T, socket: Socket, answers: Answers) -> Self {
        let listener = Listener {
            frames: Frames::new(),
            buffer: vec![0; BUFFER].into(),
            answers,
        };
        Self {
            io,
            listener: Some(listener),
            socket,
        }
    }

    /// Watches for the end of an HTTP/1 connection.
    pub(crate) fn http1(io: T, socket: Socket) -> Self {
        Self {
            io,
            listener: None,
            socket,
        }
    }
}

impl<T: Read + Unpin> Watched<T> {
    fn read(&mut self, cx: &mut Context<'_>, mut buf: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        let io = Pin::new(&mut self.io);
        let Some(listener) = &mut self.listener else {
            return io.poll_read(cx, buf);
        };
        let room = listener.buffer.len().min(buf.remaining());
        let (space, _) = listener.buffer.split_at_mut(room);
        let mut read = ReadBuf::new(space);
        ready!(io.poll_read(cx, read.unfilled()))?;
        let (socket, answers) = (&self.socket, &listener.answers);
        listener.frames.read(read.filled(), |word| match word {
            Word::Answer => {
                answers.fetch_add(1, Ordering::Relaxed);
            }
            word => socket.heard(word),
        });
        buf.put_slice(read.filled());
        Poll::Ready(Ok(()))
    }
}

impl<T: Read + Unpin> Read for Watched<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let polled = self.read(cx, buf);
        self.socket.unless_killed(cx, polled)
    }
}

impl<T: Write + Unpin> Write for Watched<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.io).poll_write(cx, buf);
        self.socket.unless_killed(cx, polled)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.io).poll_flush(cx);
        self.socket.unless_killed(cx, polled)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.io).poll_shutdown(cx);
        self.socket.unless_killed(cx, polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.io).poll_write_vectored(cx, bufs);
        self.socket.unless_killed(cx, polled)
    }
}
