use std::io;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::Frame;
use crate::Transport;

/// What an HTTP/2 client says first (RFC 9113 §3.4).
pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Frames over a transport.
///
/// A dropped read or write loses nothing: what was begun waits in `input` (one frame, at most the
/// 16 MiB its length field allows, and one read beyond it) or in `output` (one write).
pub(super) struct Wire {
    transport: Transport,
    input: BytesMut,
    output: BytesMut,
}

impl Wire {
    pub(super) fn new(transport: Transport) -> Self {
        Self {
            transport,
            input: BytesMut::with_capacity(16 * 1024),
            output: BytesMut::new(),
        }
    }

    /// Reads the client's preface; an error when it is anything else.
    pub(super) async fn read_preface(&mut self) -> io::Result<()> {
        loop {
            let len = self.input.len().min(PREFACE.len());
            if self.input[..len] != PREFACE[..len] {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    "not an HTTP/2 preface",
                ));
            }
            if len == PREFACE.len() {
                self.input.advance(len);
                return Ok(());
            }
            if !self.fill().await? {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    /// Reads the next frame; `None` when the client has closed.
    pub(super) async fn read_frame(&mut self) -> io::Result<Option<Frame>> {
        loop {
            if let Some(frame) = Frame::decode(&mut self.input)? {
                return Ok(Some(frame));
            }
            if !self.fill().await? {
                return Ok(None);
            }
        }
    }

    pub(super) async fn write_frame(&mut self, frame: &Frame) -> io::Result<()> {
        frame.encode(&mut self.output);
        self.flush().await
    }

    pub(super) async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.output.extend_from_slice(bytes);
        self.flush().await
    }

    /// Sends FIN; the client can still be read.
    pub(super) async fn shutdown(&mut self) -> io::Result<()> {
        self.transport.shutdown().await
    }

    pub(super) fn reset(self) -> io::Result<()> {
        self.transport.reset()
    }

    async fn flush(&mut self) -> io::Result<()> {
        self.transport.write_all_buf(&mut self.output).await?;
        self.transport.flush().await
    }

    async fn fill(&mut self) -> io::Result<bool> {
        self.flush().await?;
        Ok(self.transport.read_buf(&mut self.input).await? > 0)
    }
}
