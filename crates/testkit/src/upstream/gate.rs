use std::{
    io,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::{Transport, raw::Frame};

/// The transport under a real HTTP server, which lets frames of our own slip in between the server's
/// and can end with a reset.
pub(super) struct Gate {
    transport: Option<Transport>,
    control: Arc<Control>,
    position: Position,
}

/// What a gate is told from outside.
#[derive(Default)]
pub(super) struct Control {
    /// Whole frames that shall go out at the next boundary; taken off as they are written.
    frames: Mutex<BytesMut>,
    resets: AtomicBool,
}

/// Where in the server's stream of frames the next byte to be written stands.
#[derive(Default)]
struct Position {
    head: Vec<u8>,
    payload_left: usize,
}

impl Gate {
    pub(super) fn new(transport: Transport, control: Arc<Control>) -> Self {
        Self {
            transport: Some(transport),
            control,
            position: Position::default(),
        }
    }

    fn transport(&mut self) -> io::Result<Pin<&mut Transport>> {
        // It is there until the gate is dropped.
        self.transport
            .as_mut()
            .map(Pin::new)
            .ok_or(io::ErrorKind::NotConnected.into())
    }

    /// Writes the frames of our own, if we are between two frames of the server's.
    fn poll_slip_in(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let control = Arc::clone(&self.control);
        let mut frames = control.frames();
        while self.position.is_boundary() && !frames.is_empty() {
            let written = ready!(self.transport()?.poll_write(cx, &frames))?;
            frames.advance(written);
        }
        Poll::Ready(Ok(()))
    }
}

impl Control {
    /// Sends a frame as soon as the server polls its connection again.
    pub(super) fn slip_in(&self, frame: &Frame) {
        frame.encode(&mut self.frames());
    }

    /// Lets the connection end with a reset when the server drops it.
    pub(super) fn reset(&self) {
        self.resets.store(true, Ordering::Relaxed);
    }

    fn frames(&self) -> MutexGuard<'_, BytesMut> {
        self.frames.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Position {
    const HEAD: usize = 9;

    fn is_boundary(&self) -> bool {
        self.head.is_empty() && self.payload_left == 0
    }

    fn advance(&mut self, mut written: &[u8]) {
        while !written.is_empty() {
            if self.payload_left == 0 {
                let missing = written.len().min(Self::HEAD - self.head.len());
                self.head.extend_from_slice(&written[..missing]);
                written = &written[missing..];
                if self.head.len() == Self::HEAD {
                    self.payload_left = (&self.head[..3]).get_uint(3) as usize;
                    self.head.clear();
                }
            } else {
                let part = written.len().min(self.payload_left);
                self.payload_left -= part;
                written = &written[part..];
            }
        }
    }
}

impl AsyncRead for Gate {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.transport()?.poll_read(cx, buf)
    }
}

impl AsyncWrite for Gate {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_slip_in(cx))?;
        let written = ready!(self.transport()?.poll_write(cx, buf))?;
        self.position.advance(&buf[..written]);
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_slip_in(cx))?;
        self.transport()?.poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.transport()?.poll_shutdown(cx)
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        if self.control.resets.load(Ordering::Relaxed)
            && let Some(transport) = self.transport.take()
        {
            // A system that refuses leaves a FIN, which ends the connection too.
            let _ = transport.reset();
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_boundaries_are_those_of_the_frames(sizes in prop::collection::vec(0_usize..40, 0..6), cut in 1_usize..20) {
            let (mut bytes, mut ends) = (BytesMut::new(), vec![0]);
            for size in sizes {
                let payload = vec![0xff; size].into();
                Frame::Other { kind: 0xee, flags: 0xff, stream: 7, payload }.encode(&mut bytes);
                ends.push(bytes.len());
            }
            let (mut position, mut written) = (Position::default(), 0);
            for piece in bytes.chunks(cut) {
                prop_assert_eq!(position.is_boundary(), ends.contains(&written));
                position.advance(piece);
                written += piece.len();
            }
            prop_assert!(position.is_boundary());
        }
    }
}
