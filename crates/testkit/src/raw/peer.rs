use std::{collections::VecDeque, fmt, io, time::Duration};

use bytes::Bytes;

use super::{Entry, Event, Frame, Request, streams::Streams, wire::Wire};
use crate::{Log, Transport, time::pause};

/// The server's end of one HTTP/2 connection, which does what the script says and nothing else.
///
/// Nothing is read and nothing sent while the script does not ask for it: each method that waits
/// (`request`, `body`, `wait`, `silence`, `close`) reads what has come, logs it and sends the
/// automatic answers: receipts for SETTINGS and PING, and WINDOW_UPDATEs that give the room of each
/// DATA back at once. Each of them can be switched off. They are held back until the script has
/// sent its own [`settings`](Self::settings), with which a server must begin (RFC 9113 §3.4).
///
/// A request's head is announced by [`request`](Self::request) once, in the order of arrival.
pub struct Peer {
    connection: usize,
    log: Log<Entry>,
    wire: Wire,
    streams: Streams,
    waiting: VecDeque<Request>,
    received: usize,
    preface_read: bool,
    settings_sent: bool,
    held: Vec<Frame>,
    settings_acks: bool,
    ping_acks: bool,
    window_updates: bool,
}

impl Peer {
    /// The most requests that are read ahead of the script's asking for them. With one more the script
    /// fails, except in `wait`, which then stops reading.
    pub const MAX_WAITING: usize = 1024;

    /// The most bytes of request bodies that one connection writes into the log, before its script fails.
    pub const MAX_BODIES: usize = 64 << 20;

    pub(super) fn new(transport: Transport, connection: usize, log: Log<Entry>) -> Self {
        Self {
            connection,
            log,
            wire: Wire::new(transport),
            streams: Streams::new(connection),
            waiting: VecDeque::new(),
            received: 0,
            preface_read: false,
            settings_sent: false,
            held: Vec::new(),
            settings_acks: true,
            ping_acks: true,
            window_updates: true,
        }
    }

    /// Never acknowledges the client's SETTINGS.
    pub fn without_settings_acks(&mut self) {
        self.settings_acks = false;
    }

    /// Never answers a PING.
    pub fn without_ping_acks(&mut self) {
        self.ping_acks = false;
    }

    /// Never gives the room of received DATA back, so that a long request body stalls.
    pub fn without_window_updates(&mut self) {
        self.window_updates = false;
    }

    /// Reads until the head of a request is complete, or takes one that came earlier.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::UnexpectedEof`] when the client has closed, or what reading fails with.
    pub async fn request(&mut self) -> io::Result<Request> {
        loop {
            if let Some(request) = self.waiting.pop_front() {
                return Ok(request);
            }
            self.advance().await?;
        }
    }

    /// Reads until the request has come whole, and returns its body.
    ///
    /// # Errors
    ///
    /// Like [`request`](Self::request).
    pub async fn body(&mut self, request: &Request) -> io::Result<Bytes> {
        while self.streams.is_open(request.stream) {
            self.advance().await?;
        }
        Ok(self.log.body(request))
    }

    /// Writes into the log that the server acts on this request. Say it before answering or failing.
    ///
    /// # Errors
    ///
    /// When the log is full.
    pub fn execute(&mut self, request: &Request) -> io::Result<()> {
        self.record(Event::Executed(request.clone()))
    }

    /// Answers nothing for `duration` of tokio's pausable clock; reads and logs meanwhile.
    ///
    /// # Errors
    ///
    /// Like [`request`](Self::request).
    pub async fn wait(&mut self, duration: Duration) -> io::Result<()> {
        let end = pause(duration);
        tokio::pin!(end);
        loop {
            let full = self.waiting.len() >= Self::MAX_WAITING;
            tokio::select! {
                () = &mut end => return Ok(()),
                advanced = self.advance(), if !full => advanced?,
            }
        }
    }

    /// Answers no request any more; reads and logs until the client closes.
    ///
    /// # Errors
    ///
    /// What reading fails with; the client's closing is none.
    pub async fn silence(&mut self) -> io::Result<()> {
        loop {
            self.waiting.clear();
            match self.advance().await {
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
                advanced => advanced?,
            }
        }
    }

    /// Neither reads nor answers any more, while the transport lives: a black hole.
    pub async fn black_hole(&mut self) -> io::Result<()> {
        std::future::pending().await
    }

    /// Sends FIN, then reads and logs until the client has closed too: closing a socket with unread
    /// bytes would make the FIN a RST.
    ///
    /// # Errors
    ///
    /// What the transport fails with.
    pub async fn close(mut self) -> io::Result<()> {
        self.wire.shutdown().await?;
        (self.settings_acks, self.ping_acks, self.window_updates) = (false, false, false);
        self.silence().await
    }

    /// Ends a TCP connection with a RST, another transport by dropping it.
    ///
    /// # Errors
    ///
    /// What the transport fails with.
    pub fn reset(self) -> io::Result<()> {
        self.wire.reset()
    }

    /// Returns the ordinal of this connection; the first one is 1.
    #[must_use]
    pub fn connection(&self) -> usize {
        self.connection
    }

    /// Reads the client's preface, if it has not been read yet. Every other reading does it too.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::InvalidData`] when the client begins with anything else.
    pub async fn preface(&mut self) -> io::Result<()> {
        if !self.preface_read {
            self.wire.read_preface().await?;
            self.preface_read = true;
            self.record(Event::Preface)?;
        }
        Ok(())
    }

    /// Sends bytes as they are. Frames go through the methods of their own.
    ///
    /// # Errors
    ///
    /// What the transport fails with.
    pub async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.wire.write(bytes).await
    }

    /// Sends one frame.
    ///
    /// # Errors
    ///
    /// What the transport fails with.
    pub async fn frame(&mut self, frame: Frame) -> io::Result<()> {
        self.wire.write_frame(&frame).await?;
        if !self.settings_sent && matches!(frame, Frame::Settings { ack: false, .. }) {
            self.settings_sent = true;
            for held in std::mem::take(&mut self.held) {
                self.wire.write_frame(&held).await?;
            }
        }
        Ok(())
    }

    /// Reads one frame, logs it and answers what is answered automatically.
    async fn advance(&mut self) -> io::Result<()> {
        self.preface().await?;
        let frame = self
            .wire
            .read_frame()
            .await?
            .ok_or(io::ErrorKind::UnexpectedEof)?;
        if let Frame::Data { payload, .. } = &frame {
            self.received = self.received.saturating_add(payload.len());
            if self.received > Self::MAX_BODIES {
                return Err(io::Error::other("the bodies are too long for the log"));
            }
        }
        self.record(Event::Received(frame.clone()))?;
        if let Some(event) = self.streams.observe(&frame)? {
            if let Event::Request(request) = &event {
                if self.waiting.len() >= Self::MAX_WAITING {
                    return Err(io::Error::other("too many requests wait for the script"));
                }
                self.waiting.push_back(request.clone());
            }
            self.record(event)?;
        }
        for answer in self.automatic(&frame).into_iter().flatten() {
            if self.settings_sent {
                self.wire.write_frame(&answer).await?;
            } else if self.held.len() < Self::MAX_WAITING {
                self.held.push(answer);
            } else {
                return Err(io::Error::other(
                    "too many answers wait for the script's SETTINGS",
                ));
            }
        }
        Ok(())
    }

    fn automatic(&self, frame: &Frame) -> [Option<Frame>; 2] {
        match frame {
            Frame::Settings { ack: false, .. } if self.settings_acks => [
                Some(Frame::Settings {
                    ack: true,
                    values: Vec::new(),
                }),
                None,
            ],
            Frame::Ping {
                ack: false,
                payload,
            } if self.ping_acks => [
                Some(Frame::Ping {
                    ack: true,
                    payload: *payload,
                }),
                None,
            ],
            Frame::Data {
                stream, payload, ..
            } if self.window_updates && !payload.is_empty() => {
                let update = |stream| Frame::WindowUpdate {
                    stream,
                    increment: payload.len() as u32,
                };
                [
                    Some(update(0)),
                    self.streams.is_open(*stream).then(|| update(*stream)),
                ]
            }
            _ => [None, None],
        }
    }

    fn record(&self, event: Event) -> io::Result<()> {
        let connection = self.connection;
        self.log
            .push(Entry { connection, event })
            .map_err(io::Error::other)
    }
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peer")
            .field("connection", &self.connection)
            .finish_non_exhaustive()
    }
}
