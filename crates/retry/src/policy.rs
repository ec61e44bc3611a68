use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::header::{HeaderMap, HeaderName, HeaderValue};
use outrigger_core::Exponential;

use crate::replay::Memory;
use crate::{Attempt, Budgets};

/// What a retry service and its clones share.
#[derive(Debug)]
pub(crate) struct Policy<P> {
    pub(crate) settings: Settings,
    pub(crate) pauses: P,
    pub(crate) budgets: Budgets,
    pub(crate) memory: Arc<Memory>,
}

/// What a layer was told.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) attempts: u32,
    pub(crate) throttled: Exponential,
    pub(crate) longest_retry_after: Duration,
    pub(crate) shortest: Duration,
    pub(crate) wait_for_rejections: Duration,
    pub(crate) header: Option<HeaderName>,
    pub(crate) hook: Option<Hook>,
}

impl Settings {
    /// Writes the ordinal of an attempt where the user wants it.
    #[inline]
    pub(crate) fn number(&self, headers: &mut HeaderMap, ordinal: u32) {
        if let Some(name) = &self.header {
            // A map too full for one more header goes without.
            let _ = headers.try_insert(name, HeaderValue::from(ordinal));
        }
    }
}

/// What the user wants to see of each attempt.
#[derive(Clone)]
pub(crate) struct Hook(Arc<dyn Fn(&Attempt) + Send + Sync>);

impl Hook {
    pub(crate) fn new(hook: impl Fn(&Attempt) + Send + Sync + 'static) -> Self {
        Self(Arc::new(hook))
    }

    pub(crate) fn see(&self, attempt: &Attempt) {
        (self.0)(attempt);
    }
}

impl fmt::Debug for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hook")
    }
}
