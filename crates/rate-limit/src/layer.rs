use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::request::Parts;
use tokio::time::Instant;
use tower_layer::Layer;

use crate::brake::WHOLE;
use crate::entry::Rules;
use crate::limiter::Bounds;
use crate::limits::{CostOf, Limits};
use crate::table::Sharing;
use crate::{Quota, RateLimitHandle, RateLimitService};

/// Keeps the calls to each endpoint within a quota: each waits for its turn, in the order in which they
/// came, or is refused at once when that takes too long.
///
/// See the [crate's page](crate) for who waits, who is refused and what answers change.
#[derive(Clone)]
pub struct RateLimitLayer {
    quota: Option<Quota>,
    sharing: Sharing,
    cost: Option<CostOf>,
    max_wait: Duration,
    queue: usize,
    endpoints: usize,
    feedback: bool,
    floor: u32,
    longest_hold: Duration,
    handle: Option<RateLimitHandle>,
    enabled: bool,
}

impl RateLimitLayer {
    /// The longest wait: 1 s.
    pub const DEFAULT_WAIT: Duration = Duration::from_secs(1);
    /// The most calls that wait for the same limit: 1,024.
    pub const DEFAULT_QUEUE: usize = 1_024;
    /// The most endpoints that are told apart: 10,000. Beyond, those that have their whole burst make
    /// room; where none does, the rest share one limit.
    pub const DEFAULT_ENDPOINTS: usize = 10_000;
    /// What answers leave of the rate at least: 10 %.
    pub const DEFAULT_FLOOR: u32 = 10;
    /// The longest time for which an answer stops all calls: 60 s.
    pub const DEFAULT_LONGEST_HOLD: Duration = Duration::from_secs(60);

    /// Holds each endpoint to this quota.
    pub fn new(quota: Quota) -> Self {
        Self {
            quota: Some(quota),
            ..Self::unlimited()
        }
    }

    /// Without a quota: does nothing, whatever else is set.
    pub fn unlimited() -> Self {
        Self {
            quota: None,
            sharing: Sharing::Endpoint,
            cost: None,
            max_wait: Self::DEFAULT_WAIT,
            queue: Self::DEFAULT_QUEUE,
            endpoints: Self::DEFAULT_ENDPOINTS,
            feedback: true,
            floor: Self::DEFAULT_FLOOR,
            longest_hold: Self::DEFAULT_LONGEST_HOLD,
            handle: None,
            enabled: true,
        }
    }

    /// The longest that a call waits for its turn; one that would have to wait longer, or beyond its
    /// deadline, is refused at once. Default: [`DEFAULT_WAIT`](Self::DEFAULT_WAIT);
    /// [`Duration::ZERO`] is [`refuse`](Self::refuse). The time in which the inner service is not ready
    /// does not count.
    #[must_use]
    pub fn wait(mut self, max_wait: Duration) -> Self {
        self.max_wait = max_wait;
        self
    }

    /// No call waits: what cannot go now is refused.
    #[must_use]
    pub fn refuse(self) -> Self {
        self.wait(Duration::ZERO)
    }

    /// The most calls that wait for the same limit; others are refused at once. Default:
    /// [`DEFAULT_QUEUE`](Self::DEFAULT_QUEUE); with 0 none waits.
    #[must_use]
    pub fn queue(mut self, calls: usize) -> Self {
        self.queue = calls;
        self
    }

    /// One limit for all calls, wherever they go. Default: one for each endpoint.
    #[must_use]
    pub fn shared(mut self) -> Self {
        self.sharing = Sharing::All;
        self
    }

    /// One limit for each key that a function reads off the request's head. Default: one for each
    /// endpoint.
    ///
    /// ```
    /// use std::num::NonZeroU32;
    /// use outrigger_rate_limit::{Quota, RateLimitLayer};
    ///
    /// let quota = Quota::per_second(NonZeroU32::MIN);
    /// let _by_path = RateLimitLayer::new(quota).key(|head| head.uri.path().to_owned());
    /// ```
    #[must_use]
    pub fn key<K: Into<Vec<u8>>>(
        mut self,
        key: impl Fn(&Parts) -> K + Send + Sync + 'static,
    ) -> Self {
        self.sharing = Sharing::by(key);
        self
    }

    /// How many calls a call counts as, by a function of the request's head. Default: 1. One that costs 0
    /// is not limited, and its answer changes nothing; one that costs more than the
    /// [burst](Quota::burst), by default 1, is refused with [`NeverFits`](crate::NeverFits).
    ///
    /// ```
    /// use std::num::NonZeroU32;
    /// use http::{Request, Response};
    /// use outrigger_core::{BoxError, find};
    /// use outrigger_rate_limit::{NeverFits, Quota, RateLimitLayer};
    /// use tower::{Layer, ServiceExt, service_fn};
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), BoxError> {
    /// const FIVE: NonZeroU32 = NonZeroU32::new(5).unwrap();
    /// let layer = RateLimitLayer::new(Quota::per_second(FIVE).burst(FIVE)).refuse();
    /// let by_path = layer.cost(|head| if head.uri.path() == "/search" { 4 } else { 1 });
    /// let server = service_fn(async |_: Request<()>| Ok::<_, BoxError>(Response::new(())));
    /// let client = by_path.layer(server);
    ///
    /// let get = |path| client.clone().oneshot(Request::get(path).body(()).unwrap());
    /// assert!(get("/search").await.is_ok());
    /// assert!(get("/search").await.is_err(), "one is left");
    /// assert!(get("/item").await.is_ok());
    ///
    /// let single = RateLimitLayer::new(Quota::per_second(FIVE)).cost(|_| 4).layer(server);
    /// let refused = single.oneshot(Request::new(())).await.unwrap_err();
    /// assert!(find::<NeverFits>(&*refused).is_some(), "the burst is 1");
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn cost(mut self, cost: impl Fn(&Parts) -> u32 + Send + Sync + 'static) -> Self {
        self.cost = Some(Arc::new(cost));
        self
    }

    /// The most endpoints, or keys, that are told apart. Default:
    /// [`DEFAULT_ENDPOINTS`](Self::DEFAULT_ENDPOINTS); 0 counts as 1.
    #[must_use]
    pub fn endpoints(mut self, endpoints: usize) -> Self {
        self.endpoints = endpoints;
        self
    }

    /// Whether a server's answers slow its calls down further. Default: `true`.
    #[must_use]
    pub fn feedback(mut self, feedback: bool) -> Self {
        self.feedback = feedback;
        self
    }

    /// What answers leave of the rate at least, in percent. Default:
    /// [`DEFAULT_FLOOR`](Self::DEFAULT_FLOOR); 0 counts as 1, and with 100 or more they do not change
    /// the rate.
    #[must_use]
    pub fn floor(mut self, percent: u32) -> Self {
        self.floor = percent;
        self
    }

    /// The longest time for which an answer stops all calls; up to a tenth more passes, so that not all
    /// clients come back at once. Default: [`DEFAULT_LONGEST_HOLD`](Self::DEFAULT_LONGEST_HOLD); with
    /// [`Duration::ZERO`] none stops them.
    #[must_use]
    pub fn longest_hold(mut self, hold: Duration) -> Self {
        self.longest_hold = hold;
        self
    }

    /// Shows the limits of the services that this layer makes in a handle: for stacks in which the
    /// service itself is out of reach.
    #[must_use]
    pub fn handle(mut self, handle: &RateLimitHandle) -> Self {
        self.handle = Some(handle.clone());
        self
    }

    /// Switches the layer on or off; off, it passes everything through. Default: `true`.
    #[must_use]
    pub fn enabled(mut self, enabled: bool) -> Self {
        self.enabled = enabled;
        self
    }

    fn rules(&self, quota: Quota) -> Rules {
        let bounds = Bounds {
            hold: nanos(self.longest_hold),
            share: u64::from(self.floor.clamp(1, 100)) * (WHOLE / 100),
        };
        Rules {
            epoch: Instant::now(),
            quota,
            patience: nanos(self.max_wait),
            room: self.queue,
            feedback: self.feedback.then_some(bounds),
        }
    }
}

/// In nanoseconds; what is beyond 584 years is 584 years.
fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

impl<S> Layer<S> for RateLimitLayer {
    type Service = RateLimitService<S>;

    fn layer(&self, inner: S) -> RateLimitService<S> {
        let limits = self.quota.filter(|_| self.enabled).map(|quota| {
            let (rules, cost) = (self.rules(quota), self.cost.clone());
            Arc::new(Limits::new(rules, &self.sharing, self.endpoints, cost))
        });
        if let (Some(handle), Some(limits)) = (&self.handle, &limits) {
            handle.attach(limits);
        }
        RateLimitService::new(inner, limits)
    }
}

impl fmt::Debug for RateLimitLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateLimitLayer")
            .field("quota", &self.quota)
            .field("sharing", &self.sharing)
            .field("max_wait", &self.max_wait)
            .field("queue", &self.queue)
            .field("feedback", &self.feedback)
            .field("enabled", &self.enabled)
            .finish_non_exhaustive()
    }
}
