use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::Full;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use outrigger::{BoxError, Elapsed, Error, Phase};
use tokio::time::{Instant, sleep_until, timeout};

use super::contender::Contender;
use crate::wire::{Sent, drain};

/// What a careful programmer writes on the first day: a pooled client and a loop around it.
///
/// Statuses, methods, number and pauses are the defaults of reqwest-retry with its README's three
/// retries; to retry any error is tenacity's.
#[derive(Clone, Debug)]
pub(super) struct Naive {
    client: Client<HttpConnector, Full<Bytes>>,
    attempt_limit: Duration,
    sent: Sent,
}

impl Naive {
    /// The first attempt and three retries.
    const ATTEMPTS: u32 = 4;

    /// The longest pause before the first retry; it doubles before each later one.
    const PAUSE: Duration = Duration::from_secs(1);

    /// A client of its own, with no connection yet.
    pub(super) fn new(attempt_limit: Duration) -> Self {
        // As reqwest and httpx do; without it HTTP/2 waits 40 ms for acknowledgements.
        let mut tcp = HttpConnector::new();
        tcp.set_nodelay(true);
        let mut client = Client::builder(TokioExecutor::new());
        Self {
            client: client.http2_only(true).build(tcp),
            attempt_limit,
            sent: Sent::default(),
        }
    }

    async fn attempt(&self, request: Request<Full<Bytes>>) -> Result<StatusCode, Error> {
        self.sent.count();
        let answered = async {
            let response = self.client.request(request).await;
            drain(response.map_err(BoxError::from)?).await
        };
        let late = |_| BoxError::from(Elapsed::new(Phase::Attempt, self.attempt_limit));
        timeout(self.attempt_limit, answered).await.map_err(late)?
    }
}

impl Contender for Naive {
    const NAME: &'static str = "naive";

    fn settings(&self) -> String {
        format!(
            "hyper-util's pooled client in a retry loop with the usual defaults. Up to {} attempts of any\n\
             method, on 408, 429, 5xx and any error, after 0 to {:?}, doubling; retry-after not read;\n\
             {:?} an attempt, no limit on the whole call",
            Self::ATTEMPTS,
            Self::PAUSE,
            self.attempt_limit
        )
    }

    async fn call(&self, request: Request<Bytes>) -> Result<StatusCode, Error> {
        let request = request.map(Full::new);
        let mut pause = Self::PAUSE;
        for _ in 1..Self::ATTEMPTS {
            match self.attempt(request.clone()).await {
                Ok(status) if !is_transient(status) => return Ok(status),
                _ => rest(pause).await,
            }
            pause *= 2;
        }
        self.attempt(request).await
    }

    fn sent(&self) -> &Sent {
        &self.sent
    }
}

/// Waits between nothing and `longest`: full jitter.
async fn rest(longest: Duration) {
    let millis = fastrand::u64(0..=longest.as_millis() as u64);
    sleep_until(Instant::now() + Duration::from_millis(millis)).await;
}

fn is_transient(status: StatusCode) -> bool {
    status.is_server_error() || matches!(status.as_u16(), 408 | 429)
}
