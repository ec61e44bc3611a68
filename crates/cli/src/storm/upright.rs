use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode};
use outrigger::connector::HttpVersion;
use outrigger::retry::RetryLayer;
use outrigger::timeout::{DeadlineLayer, TimeoutLayer};
use outrigger::{Error, Layers};
use tower::ServiceExt;

use super::contender::Contender;
use crate::request;
use crate::wire::{self, Calls, Sent, Wire};

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
             idempotency keys",
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
