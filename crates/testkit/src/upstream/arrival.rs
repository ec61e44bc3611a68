use http::{HeaderMap, Method, Uri, Version, request::Parts};

use crate::Log;

/// One request an upstream got, written down before anything is answered or fails.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Arrival {
    /// The ordinal of its connection; the first one is 1.
    pub connection: usize,
    /// Its HTTP/2 stream, 1, 3, 5 …; on HTTP/1 its ordinal on the connection.
    pub stream: u32,
    /// The version it came in.
    pub version: Version,
    /// Its method.
    pub method: Method,
    /// Its target as it came: with scheme and authority on HTTP/2, a path on HTTP/1.
    pub uri: Uri,
    /// Its headers.
    pub headers: HeaderMap,
    /// How many bytes of its body came; 0 when the upstream did not read it.
    pub body_len: u64,
    /// Whether the upstream acted on it.
    pub executed: bool,
}

impl Arrival {
    pub(super) fn new(
        head: &Parts,
        connection: usize,
        stream: u32,
        body_len: u64,
        executed: bool,
    ) -> Self {
        Self {
            connection,
            stream,
            version: head.version,
            method: head.method.clone(),
            uri: head.uri.clone(),
            headers: head.headers.clone(),
            body_len,
            executed,
        }
    }

    /// Returns the value of `idempotency-key`, if it is one and text.
    #[must_use]
    pub fn idempotency_key(&self) -> Option<&str> {
        self.headers.get("idempotency-key")?.to_str().ok()
    }

    /// Returns the value of `x-request-id`, if it is one and text.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        self.headers.get("x-request-id")?.to_str().ok()
    }
}

impl Log<Arrival> {
    /// Returns the requests the upstream acted on, oldest first.
    #[must_use]
    pub fn executed(&self) -> Vec<Arrival> {
        self.lock()
            .iter()
            .filter(|arrival| arrival.executed)
            .cloned()
            .collect()
    }
}
