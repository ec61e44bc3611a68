use std::num::NonZeroU32;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode};
use outrigger::connector::HttpVersion;
use outrigger::rate_limit::{Quota, RateLimitLayer};
use outrigger::retry::RetryLayer;
use outrigger::timeout::{DeadlineLayer, TimeoutLayer};
use outrigger::{Error, Layers};
use tower::ServiceExt;

use super::contender::Contender;
use super::phase::COUNTED;
use super::quota;
use crate::request;
use crate::wire::{self, Calls, Sent, Wire};

/// What it takes of the upstream's quota: a little less than there is, for the network moves what was
/// spaced out.
const QUOTA: NonZeroU32 = NonZeroU32::new(quota::PER_SECOND - 10).unwrap();
const BURST: NonZeroU32 = NonZeroU32::new(quota::AT_ONCE - 5).unwrap();

/// The default stack over our connector.
#[derive(Clone, Debug)]
pub(super) struct Upright {
    calls: Calls,
    total: Duration,
    attempt_limit: Duration,
    sent: Sent,
}

impl Upright {
    /// A client of its own, with no connection yet.
    pub(super) fn new(total: Duration, attempt_limit: Duration) -> Self {
        let sent = Sent::default();
        let connector = Wire::new().http(HttpVersion::H2c);
        let mut layers = Layers::default();
        layers.idempotency = layers.idempotency.server_honours(true);
        layers.deadline = DeadlineLayer::new(total);
        layers.rate_limit = within_quota();
        layers.timeout = TimeoutLayer::new(attempt_limit);
        Self {
            calls: wire::calls(layers, connector, &sent),
            total,
            attempt_limit,
            sent,
        }
    }
}

impl Contender for Upright {
    const NAME: &'static str = "outrigger";

    fn settings(&self) -> String {
        format!(
            "the default stack. Up to {} attempts, where no second execution can come of it and the budget\n\
             pays; retry-after obeyed; {:?} an attempt, {:?} the whole call. The upstream is known to honour\n\
             idempotency keys, and to take {QUOTA} requests a second of those it counts, {BURST} of them at once",
            RetryLayer::DEFAULT_ATTEMPTS,
            self.attempt_limit,
            self.total
        )
    }

    async fn call(&self, request: Request<Bytes>) -> Result<StatusCode, Error> {
        let request = request.map(request::text);
        self.calls.clone().oneshot(request).await
    }

    fn sent(&self) -> &Sent {
        &self.sent
    }
}

/// Each call to what the upstream counts waits for its turn.
fn within_quota() -> RateLimitLayer {
    RateLimitLayer::new(Quota::per_second(QUOTA).burst(BURST))
        .cost(|head| u32::from(head.uri.path() == COUNTED))
}
