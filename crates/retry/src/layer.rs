use std::sync::Arc;
use std::time::Duration;

use http::HeaderName;
use outrigger_core::Exponential;
use tower_layer::Layer;

use crate::policy::{Hook, Policy, Settings};
use crate::replay::Memory;
use crate::{Attempt, Budgets, RetryService};

/// Sends a request again when that is safe, worth it and affordable.
///
/// The first retry of what the server did not process (nothing was sent, or it was refused unprocessed)
/// is immediate and free; any other pauses and is paid for. An answer that is worth another attempt is
/// returned whole when no attempt can follow. Otherwise its body is read before the pause, up to 16 KiB
/// and 20 ms, so that its connection is free and the answer is there if the next attempt is refused
/// locally; a longer one is dropped, and then the error is [`RetryAborted`](crate::RetryAborted).
///
/// A local rejection from below ([`Rejected`](outrigger_core::Rejected)) is returned at once: it is no
/// attempt and costs nothing.
///
/// ```
/// use std::time::Duration;
/// use outrigger_retry::{Budget, Exponential, RetryLayer};
///
/// let layer = RetryLayer::new()
///     .attempts(5)
///     .pauses(Exponential::new(Duration::from_millis(20), Duration::from_secs(5)))
///     .budget(Budget::ratio(1, 10));
/// # let _ = layer;
/// ```
#[derive(Clone, Debug)]
#[must_use = "a layer does nothing until it wraps a service"]
pub struct RetryLayer<P = Exponential> {
    settings: Settings,
    pauses: P,
    budgets: Option<Budgets>,
    replay_per_call: usize,
    replay_memory: usize,
    enabled: bool,
}

impl RetryLayer {
    /// The attempts of a call, the first included, unless set otherwise: 3.
    pub const DEFAULT_ATTEMPTS: u32 = 3;

    /// The first pause and the longest, unless set otherwise: 50 ms and 20 s.
    pub const DEFAULT_PAUSES: (Duration, Duration) =
        (Duration::from_millis(50), Duration::from_secs(20));

    /// The same after throttling (429, 503), unless set otherwise: 1 s and 20 s.
    pub const DEFAULT_THROTTLED_PAUSES: (Duration, Duration) =
        (Duration::from_secs(1), Duration::from_secs(20));

    /// The longest `Retry-After` that is obeyed, unless set otherwise: 60 s.
    pub const DEFAULT_LONGEST_RETRY_AFTER: Duration = Duration::from_secs(60);

    /// The shortest attempt worth starting, unless set otherwise: 10 ms.
    pub const DEFAULT_SHORTEST: Duration = Duration::from_millis(10);

    /// How much of one request body is kept for replay, unless set otherwise: 64 KiB.
    pub const DEFAULT_REPLAY_PER_CALL: usize = 64 * 1024;

    /// How much all request bodies of a layer may keep, unless set otherwise: 64 MiB.
    pub const DEFAULT_REPLAY_MEMORY: usize = 64 * 1024 * 1024;

    /// The default layer.
    pub fn new() -> Self {
        let exponential = |(base, cap)| Exponential::new(base, cap);
        Self {
            settings: Settings {
                attempts: Self::DEFAULT_ATTEMPTS,
                throttled: exponential(Self::DEFAULT_THROTTLED_PAUSES),
                longest_retry_after: Self::DEFAULT_LONGEST_RETRY_AFTER,
                shortest: Self::DEFAULT_SHORTEST,
                wait_for_rejections: Duration::ZERO,
                header: None,
                hook: None,
            },
            pauses: exponential(Self::DEFAULT_PAUSES),
            budgets: None,
            replay_per_call: Self::DEFAULT_REPLAY_PER_CALL,
            replay_memory: Self::DEFAULT_REPLAY_MEMORY,
            enabled: true,
        }
    }
}

impl<P> RetryLayer<P> {
    /// Allows a call this many attempts, the first included. Default: 3; 0 and 1 mean no retry.
    /// [`Retries`](crate::Retries) in a request's extensions stands above it.
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.settings.attempts = attempts;
        self
    }

    /// Sets the pauses before retries: each call begins the schedule anew, and a schedule that ends
    /// ends the retries. Default: [`Exponential`] from 50 ms to 20 s, with full jitter.
    pub fn pauses<Q: Iterator<Item = Duration> + Clone>(self, pauses: Q) -> RetryLayer<Q> {
        RetryLayer {
            pauses,
            settings: self.settings,
            budgets: self.budgets,
            replay_per_call: self.replay_per_call,
            replay_memory: self.replay_memory,
            enabled: self.enabled,
        }
    }

    /// Sets the pauses after throttling (429, 503 and gRPC's RESOURCE_EXHAUSTED). Default:
    /// [`Exponential`] from 1 s to 20 s, with full jitter.
    pub fn throttled_pauses(mut self, pauses: Exponential) -> Self {
        self.settings.throttled = pauses;
        self
    }

    /// Obeys a `Retry-After` or a gRPC pushback up to this long; when the server asks for more, the
    /// answer is returned at once. Default: 60 s. It is never cut short.
    pub fn longest_retry_after(mut self, longest: Duration) -> Self {
        self.settings.longest_retry_after = longest;
        self
    }

    /// Starts no attempt that would have less than this before the call's deadline: what there is, is
    /// returned at once. Default: 10 ms.
    pub fn shortest(mut self, shortest: Duration) -> Self {
        self.settings.shortest = shortest;
        self
    }

    /// Waits once in a call for a local rejection to end, when it says when and that is within `max`
    /// and the deadline; a jitter of up to a tenth is added. Default: zero, a rejection is returned at
    /// once.
    pub fn wait_for_rejections(mut self, max: Duration) -> Self {
        self.settings.wait_for_rejections = max;
        self
    }

    /// Pays for retries from this budget, or from these budgets. Default: one of
    /// [`Budget::new`](crate::Budget::new) for each endpoint, made anew with each service.
    pub fn budget(mut self, budgets: impl Into<Budgets>) -> Self {
        self.budgets = Some(budgets.into());
        self
    }

    /// Keeps up to this many bytes of a request body for another attempt; a longer body is sent once,
    /// unless its request says how to make it once more ([`Rewind`](crate::Rewind)). Default: 64 KiB.
    pub fn replay_per_call(mut self, bytes: usize) -> Self {
        self.replay_per_call = bytes;
        self
    }

    /// Keeps up to this many bytes of all request bodies together; a body for which there is no room
    /// is sent once. Default: 64 MiB.
    pub fn replay_memory(mut self, bytes: usize) -> Self {
        self.replay_memory = bytes;
        self
    }

    /// Writes the ordinal of each attempt, from 1, into this request header. Default: none. Retries of
    /// gRPC calls always carry `grpc-previous-rpc-attempts`.
    pub fn attempt_header(mut self, name: HeaderName) -> Self {
        self.settings.header = Some(name);
        self
    }

    /// Shows each attempt as it ends, the last one and local rejections included. One that is dropped
    /// is not shown. Default: nobody looks.
    pub fn on_attempt(mut self, hook: impl Fn(&Attempt) + Send + Sync + 'static) -> Self {
        self.settings.hook = Some(Hook::new(hook));
        self
    }

    /// Switches the layer on or off; off, it passes everything through. Default: `true`.
    pub fn enabled(mut self, enabled: bool) -> Self {
        self.enabled = enabled;
        self
    }
}

impl Default for RetryLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl<S, P: Clone> Layer<S> for RetryLayer<P> {
    type Service = RetryService<S, P>;

    fn layer(&self, inner: S) -> RetryService<S, P> {
        let policy = self.enabled.then(|| {
            Arc::new(Policy {
                settings: self.settings.clone(),
                pauses: self.pauses.clone(),
                budgets: self.budgets.clone().unwrap_or_default(),
                memory: Arc::new(Memory::new(self.replay_per_call, self.replay_memory)),
            })
        });
        RetryService::new(inner, policy)
    }
}
