use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use tokio::time::Instant;

use crate::attached::Attached;
use crate::brake::WHOLE;
use crate::entry::Entry;
use crate::limits::Limits;

/// Shows how rate limits stand. It sees those of every service that a layer makes which it was
/// [given to](crate::RateLimitLayer::handle); clones are the same handle.
#[derive(Clone, Debug, Default)]
pub struct RateLimitHandle {
    attached: Attached<Limits>,
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
    /// A handle that sees nothing until it is given to a layer.
    pub fn new() -> Self {
        Self::default()
    }

    /// The limit of the endpoint that a URI names, if it was called lately; where one limit is for all
    /// calls, that one. With keys of your own there is none.
    pub fn snapshot(&self, uri: &Uri) -> Option<Snapshot> {
        let all = self.attached.all();
        let entry = all.iter().find_map(|limits| limits.find(uri))?;
        Some(Snapshot::of(&entry))
    }

    /// All limits, in no order; whose each is, they do not say.
    pub fn snapshots(&self) -> Vec<Snapshot> {
        let all = self.attached.all();
        let all = all.iter().flat_map(|limits| limits.all());
        all.map(|entry| Snapshot::of(&entry)).collect()
    }

    pub(crate) fn attach(&self, limits: &Arc<Limits>) {
        self.attached.attach(limits);
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
