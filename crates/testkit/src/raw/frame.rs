use bytes::Bytes;

use super::{Code, Setting};

/// One HTTP/2 frame (RFC 9113 §6), as it stands on the wire, padding and priority taken off.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the fields are the RFC's")]
pub enum Frame {
    /// A piece of a body.
    Data {
        stream: u32,
        payload: Bytes,
        end_stream: bool,
    },
    /// The beginning of a head or of trailers; `block` is HPACK.
    Headers {
        stream: u32,
        block: Bytes,
        end_stream: bool,
        end_headers: bool,
    },
    /// More of the last HEADERS.
    Continuation {
        stream: u32,
        block: Bytes,
        end_headers: bool,
    },
    /// The end of one stream.
    RstStream { stream: u32, code: Code },
    /// Settings, or with `ack` the receipt for the peer's.
    Settings {
        ack: bool,
        values: Vec<(Setting, u32)>,
    },
    /// A ping, or with `ack` its echo.
    Ping { ack: bool, payload: [u8; 8] },
    /// The end of the connection: streams above `last_stream` were not processed.
    GoAway {
        last_stream: u32,
        code: Code,
        debug: Bytes,
    },
    /// More room for the peer's DATA, on a stream or (0) on the connection.
    WindowUpdate { stream: u32, increment: u32 },
    /// Any other frame, untouched: PRIORITY, PUSH_PROMISE, extensions, malformed ones.
    Other {
        kind: u8,
        flags: u8,
        stream: u32,
        payload: Bytes,
    },
}
