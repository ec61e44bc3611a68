use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use http::request::Parts;

/// A request the mock was called with.
#[derive(Clone, Debug)]
pub struct Received {
    head: Parts,
    body: Arc<OnceLock<Bytes>>,
}

impl Received {
    pub(super) fn new(head: Parts) -> Self {
        Self {
            head,
            body: Arc::default(),
        }
    }

    /// Returns method, URI, headers and extensions as they came.
    #[must_use]
    pub fn head(&self) -> &Parts {
        &self.head
    }

    /// Returns the body, once it has been read to its end.
    #[must_use]
    pub fn body(&self) -> Option<&Bytes> {
        self.body.get()
    }

    pub(super) fn read(&self, body: Bytes) {
        // Each call has its own entry, so nobody else has set it.
        let _ = self.body.set(body);
    }
}
