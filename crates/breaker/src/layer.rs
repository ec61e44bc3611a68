use std::sync::Arc;
use std::time::Duration;

use outrigger_core::HttpClassify;
use tower_layer::Layer;

use crate::circuit::{BUCKETS, Settings};
use crate::circuits::{Circuits, Per};
use crate::clock::Clock;
use crate::entry::Shared;
use crate::key::{ByEndpoint, ByKey};
use crate::{BreakerHandle, BreakerService, Trip};

/// Refuses calls to a peer that fails, until it is well again.
///
/// See the [crate's page](crate) for what counts as a failure, and for the states of a circuit.
#[derive(Clone, Debug)]
pub struct BreakerLayer<K = ByEndpoint, C = HttpClassify> {
    rules: Rules,
    key: K,
    classify: C,
}

/// All that needs no type of its own.
#[derive(Clone, Debug)]
struct Rules {
    trip: Trip,
    open_for: Duration,
    open_at_most: Duration,
    probes: u32,
    lease: Duration,
    ramp: Duration,
    slow_call: Option<Duration>,
    circuits: usize,
    per: Per,
    handle: Option<BreakerHandle>,
    enabled: bool,
}

impl BreakerLayer {
    /// How long a circuit is open the first time: 5 s, give or take a fifth.
    pub const DEFAULT_OPEN_FOR: Duration = Duration::from_secs(5);

    /// How long a circuit is open at most: 60 s, give or take a fifth.
    pub const DEFAULT_OPEN_AT_MOST: Duration = Duration::from_secs(60);

    /// How many probes must succeed: 3.
    pub const DEFAULT_PROBES: u32 = 3;

    /// How long a probe may take before it counts as lost: 10 s, or the open time when that is longer.
    pub const DEFAULT_LEASE: Duration = Duration::from_secs(10);

    /// How long the ramp is: 6 s.
    pub const DEFAULT_RAMP: Duration = Duration::from_secs(6);

    /// The most circuits that are told apart: 10,000.
    pub const DEFAULT_CIRCUITS: usize = 10_000;

    /// Opens a circuit by this rule; [`Trip::default`] is a good one.
    pub const fn new(trip: Trip) -> Self {
        Self {
            rules: Rules {
                trip,
                open_for: Self::DEFAULT_OPEN_FOR,
                open_at_most: Self::DEFAULT_OPEN_AT_MOST,
                probes: Self::DEFAULT_PROBES,
                lease: Self::DEFAULT_LEASE,
                ramp: Self::DEFAULT_RAMP,
                slow_call: None,
                circuits: Self::DEFAULT_CIRCUITS,
                per: Per::Endpoint,
                handle: None,
                enabled: true,
            },
            key: ByEndpoint::new(),
            classify: HttpClassify,
        }
    }
}

impl<K, C> BreakerLayer<K, C> {
    /// What opens a circuit. Default: [`Trip::default`].
    #[must_use]
    pub fn trip(mut self, trip: Trip) -> Self {
        self.rules.trip = trip;
        self
    }

    /// How long a circuit stays open the first time, give or take a fifth; each time that it opens
    /// again without having been closed for [`open_at_most`](Self::open_at_most) it is twice as long.
    /// Default: 5 s; [`Duration::ZERO`] goes over to probes at once.
    #[must_use]
    pub fn open_for(mut self, open_for: Duration) -> Self {
        self.rules.open_for = open_for;
        self
    }

    /// The longest that a circuit stays open before it is probed, give or take a fifth. Default: 60 s;
    /// less than [`open_for`](Self::open_for) is all that is left of that.
    #[must_use]
    pub fn open_at_most(mut self, longest: Duration) -> Self {
        self.rules.open_at_most = longest;
        self
    }

    /// How many probes must succeed before the circuit closes, and how many calls of any second pass
    /// while it does. No more are under way at a time. Default: 3; 0 counts as 1.
    #[must_use]
    pub fn probes(mut self, probes: u32) -> Self {
        self.rules.probes = probes;
        self
    }

    /// How long after its dispatch a probe counts as lost, so that another may go: as long as an
    /// attempt may take. Default: 10 s; never less than the open time before its spread.
    #[must_use]
    pub fn lease(mut self, lease: Duration) -> Self {
        self.rules.lease = lease;
        self
    }

    /// How long it takes from the last probe to full traffic: in the first third a tenth of the calls
    /// passes, then a quarter, then a half, and never fewer than [`probes`](Self::probes) a second.
    /// Default: 6 s; [`Duration::ZERO`] lets all pass at once.
    #[must_use]
    pub fn ramp(mut self, ramp: Duration) -> Self {
        self.rules.ramp = ramp;
        self
    }

    /// Takes a good answer for slow whose head comes later than this after the dispatch of the request, or
    /// after the call where no transport reports the dispatch; how long its body takes is no matter, also
    /// where only that tells that it was good (gRPC). What that leads to is [`Trip::slow`]'s; where there is
    /// one, a call that was dropped or cut by its deadline after so long is slow, too. Default: none.
    #[must_use]
    pub fn slow_call(mut self, slow_call: Duration) -> Self {
        self.rules.slow_call = Some(slow_call);
        self
    }

    /// The most circuits that are told apart; beyond, those that remember no trouble make room, and
    /// where none does, the rest share. Default: 10,000; 0 counts as 1.
    #[must_use]
    pub fn circuits(mut self, circuits: usize) -> Self {
        self.rules.circuits = circuits;
        self
    }

    /// One circuit for all calls of a service and its clones, whatever their endpoint. Its name is
    /// `shared`.
    #[must_use]
    pub fn shared(self) -> BreakerLayer<ByEndpoint, C> {
        self.keyed(Per::Layer, ByEndpoint::new())
    }

    /// A circuit for each key that this function gives: for a shard, a tenant, a route. It is text or
    /// other bytes, and made of the `&Request<B>`, whose type must be written out. By default there is a
    /// circuit for each scheme, host and port; requests without them share one.
    ///
    /// ```
    /// use http::{Request, Response, StatusCode};
    /// use outrigger_breaker::{BreakerHandle, BreakerLayer, State};
    /// use tower::{BoxError, Layer, ServiceExt, service_fn};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), BoxError> {
    /// let ill = service_fn(async |_: Request<String>| {
    ///     let response = Response::builder().status(StatusCode::BAD_GATEWAY);
    ///     Ok::<_, BoxError>(response.body(String::new())?)
    /// });
    /// let handle = BreakerHandle::new();
    /// let layer = BreakerLayer::default().handle(&handle);
    /// let client = layer.key(|request: &Request<String>| request.uri().path().to_owned()).layer(ill);
    ///
    /// for path in ["/a", "/a", "/a", "/a", "/a", "/b"] {
    ///     client.clone().oneshot(Request::get(path).body(String::new())?).await?;
    /// }
    /// assert_eq!(handle.snapshot("/a").map(|circuit| circuit.state()), Some(State::Open));
    /// assert_eq!(handle.snapshot("/b").map(|circuit| circuit.state()), Some(State::Closed));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn key<F>(self, key: F) -> BreakerLayer<ByKey<F>, C> {
        self.keyed(Per::Key, ByKey(key))
    }

    /// Judges answers and errors otherwise. Default: [`HttpClassify`]; for gRPC it is
    /// [`GrpcClassify`](outrigger_core::GrpcClassify).
    #[must_use]
    pub fn classify<D>(self, classify: D) -> BreakerLayer<K, D> {
        BreakerLayer {
            rules: self.rules,
            key: self.key,
            classify,
        }
    }

    /// Shows the circuits of the services that this layer makes in a handle, and puts them into its
    /// hand. Default: none.
    #[must_use]
    pub fn handle(mut self, handle: &BreakerHandle) -> Self {
        self.rules.handle = Some(handle.clone());
        self
    }

    /// Switches the layer on or off; off, it passes everything through. Default: `true`.
    #[must_use]
    pub fn enabled(mut self, enabled: bool) -> Self {
        self.rules.enabled = enabled;
        self
    }

    fn keyed<L>(mut self, per: Per, key: L) -> BreakerLayer<L, C> {
        self.rules.per = per;
        BreakerLayer {
            rules: self.rules,
            key,
            classify: self.classify,
        }
    }
}

impl Rules {
    /// New circuits that go by these rules.
    fn make(&self) -> Arc<Circuits> {
        let open = (self.open_for, self.open_at_most);
        let settings = Settings::new(self.trip, open, self.probes, self.lease, self.ramp, BUCKETS);
        let step = settings.step;
        let shared = Shared {
            settings,
            slow_call: self.slow_call,
            clock: Clock::new(step),
            watchers: self.handle.as_ref().map(BreakerHandle::watchers),
        };
        let circuits = Arc::new(Circuits::new(self.per, shared, self.circuits));
        if let Some(handle) = &self.handle {
            handle.attach(&circuits);
        }
        circuits
    }
}

impl Default for BreakerLayer {
    fn default() -> Self {
        Self::new(Trip::default())
    }
}

impl<S, K: Clone, C: Clone> Layer<S> for BreakerLayer<K, C> {
    type Service = BreakerService<S, K, C>;

    fn layer(&self, inner: S) -> Self::Service {
        let circuits = self.rules.enabled.then(|| self.rules.make());
        BreakerService::new(inner, circuits, self.key.clone(), self.classify.clone())
    }
}
