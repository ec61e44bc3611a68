use bytes::Bytes;
use http::HeaderMap;

use super::{Code, Frame, Request};
use crate::Log;

/// One line of a script's log: what happened on which connection.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Entry {
    /// The ordinal of the connection; the first one is 1.
    pub connection: usize,
    /// What happened there.
    pub event: Event,
}

/// What a [`Peer`](super::Peer) saw or did.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// The connection was accepted and the script begins.
    Connected,
    /// The client's preface has been read.
    Preface,
    /// A frame has been read.
    Received(Frame),
    /// The head of a request is complete. A following `HEADERS` of the stream is `Trailers`.
    Request(Request),
    /// The trailers of a request are complete.
    Trailers {
        /// The stream of the request.
        stream: u32,
        /// The trailers.
        headers: HeaderMap,
    },
    /// The script said that the server acts on this request.
    Executed(Request),
    /// The script has ended: `None` as it should, `Some` with its error, or because it panicked.
    Ended(Option<String>),
}

impl Log<Entry> {
    /// Returns the requests that came, oldest first.
    #[must_use]
    pub fn requests(&self) -> Vec<Request> {
        self.pick(|entry| match &entry.event {
            Event::Request(request) => Some(request.clone()),
            _ => None,
        })
    }

    /// Returns the requests the server acted on, oldest first; one that was acted on twice is there
    /// twice.
    #[must_use]
    pub fn executed(&self) -> Vec<Request> {
        self.pick(|entry| match &entry.event {
            Event::Executed(request) => Some(request.clone()),
            _ => None,
        })
    }

    /// Returns the frames that came, each with the ordinal of its connection, oldest first.
    #[must_use]
    pub fn frames(&self) -> Vec<(usize, Frame)> {
        self.pick(|entry| match &entry.event {
            Event::Received(frame) => Some((entry.connection, frame.clone())),
            _ => None,
        })
    }

    /// Returns the streams the client reset: connection, stream and code, oldest first.
    #[must_use]
    pub fn resets(&self) -> Vec<(usize, u32, Code)> {
        self.pick(|entry| match entry.event {
            Event::Received(Frame::RstStream { stream, code }) => {
                Some((entry.connection, stream, code))
            }
            _ => None,
        })
    }

    /// Returns the body of a request as far as it has come.
    #[must_use]
    pub fn body(&self, request: &Request) -> Bytes {
        let pieces = self.pick(|entry| match &entry.event {
            Event::Received(Frame::Data {
                stream, payload, ..
            }) if (entry.connection, *stream) == (request.connection, request.stream) => {
                Some(payload.clone())
            }
            _ => None,
        });
        pieces.concat().into()
    }

    fn pick<T>(&self, pick: impl FnMut(&Entry) -> Option<T>) -> Vec<T> {
        self.lock().iter().filter_map(pick).collect()
    }
}
