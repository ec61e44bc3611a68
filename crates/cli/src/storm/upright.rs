use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode};
use outrigger::Error;
use outrigger::connector::HttpVersion;
use outrigger::timeout::Timeouts;
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
        Self {
            calls: wire::calls(connector, &sent),
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
            "the default stack of today: request id, deadline, attempt timeout, our connector;\n\
             {:?} a call, {:?} an attempt; one attempt, for the retry layer is not in it yet",
            self.total, self.attempt_limit
        )
    }

    async fn call(&self, request: Request<Bytes>) -> Result<StatusCode, Error> {
        let mut request = request.map(request::text);
        let timeouts = Timeouts::new()
            .total(self.total)
            .attempt(self.attempt_limit);
        request.extensions_mut().insert(timeouts);
        self.calls.clone().oneshot(request).await
    }

    fn sent(&self) -> &Sent {
        &self.sent
    }
}
