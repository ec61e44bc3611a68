use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use http::HeaderValue;
use http::request::Parts;

/// The idempotency keys that an upstream has executed: what comes again under one of them is
/// answered and not executed. It grows by one for each call, and lives as long as the storm.
#[derive(Clone, Debug, Default)]
pub(super) struct Ledger(Arc<Mutex<HashSet<HeaderValue>>>);

impl Ledger {
    /// Whether this request was executed before, under its key.
    pub(super) fn knows(&self, head: &Parts) -> bool {
        let key = head.headers.get("idempotency-key");
        key.is_some_and(|key| self.keys(|keys| keys.contains(key)))
    }

    /// Notes that this request is executed, if it has a key.
    pub(super) fn note(&self, head: &Parts) {
        if let Some(key) = head.headers.get("idempotency-key") {
            self.keys(|keys| keys.insert(key.clone()));
        }
    }

    fn keys<T>(&self, with: impl FnOnce(&mut HashSet<HeaderValue>) -> T) -> T {
        with(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
