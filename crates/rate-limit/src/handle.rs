use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use tokio::time::Instant;

use crate::brake::WHOLE;
use crate::entry::Entry;
use crate::limits::Limits;

/// Shows how the limits of a service stand. Clones show the same.
#[derive(Clone, Debug)]
pub struct RateLimitHandle {
    limits: Option<Arc<Limits>>,
}

/// How one limit stands at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Snapshot {
    /// How many calls may go at once. It says nothing of those that wait.
    pub available: u32,
    /// How many calls wait.
    pub waiting: usize,
    /// How many calls were refused since the limit was made.
    pub refused: u64,
    /// The share of the rate that the server's answers leave, in percent, rounded down.
    pub share: u32,
    /// How much longer the server wants no call.
    pub held: Duration,
}

impl RateLimitHandle {
    pub(crate) fn new(limits: Option<Arc<Limits>>) -> Self {
        Self { limits }
    }

    /// The limit of the endpoint that a URI names, if it was called lately; with one limit for all
    /// calls, that one. With keys of your own there is none.
    pub fn snapshot(&self, uri: &Uri) -> Option<Snapshot> {
        let entry = self.limits.as_ref()?.find(uri)?;
        Some(Snapshot::of(&entry))
    }

    /// All limits, in no order.
    pub fn snapshots(&self) -> Vec<Snapshot> {
        let all = self.limits.as_ref().map(|limits| limits.all());
        let all = all.unwrap_or_default().into_iter();
        all.map(|entry| Snapshot::of(&entry)).collect()
    }
}

impl Snapshot {
    fn of(entry: &Entry) -> Self {
        let now = entry.rules.told(Instant::now());
        let reading = entry.limiter.read(now);
        Self {
            available: u32::try_from(reading.available).unwrap_or(u32::MAX),
            waiting: reading.waiting,
            refused: reading.refused,
            share: u32::try_from(reading.share * 100 / WHOLE).unwrap_or(100),
            held: Duration::from_nanos(reading.next.saturating_sub(now)),
        }
    }
}
