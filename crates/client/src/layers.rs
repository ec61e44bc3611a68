mod roof;

use outrigger_breaker::{BreakerLayer, BreakerService, ByEndpoint, HttpClassify};
use outrigger_idempotency::{IdempotencyKeyLayer, IdempotencyKeyService, KeyFormat};
use outrigger_rate_limit::{
    ConcurrencyBody, ConcurrencyLayer, ConcurrencyService, RateLimitLayer, RateLimitService,
};
use outrigger_request_id::{RequestIdLayer, RequestIdService};
use outrigger_retry::{Exponential, ReplayBody, RetryBody, RetryLayer, RetryService};
use outrigger_timeout::{
    DeadlineLayer, DeadlineService, RequestBody, ResponseBody, TimeoutLayer, TimeoutService,
};
use tower::ServiceBuilder;

use self::roof::Roof;
use crate::breaker;

/// The layers of the default stack, each with its own defaults until it is set.
///
/// ```
/// use std::time::Duration;
/// use outrigger::Layers;
/// use outrigger::connector::Connector;
/// use outrigger::timeout::DeadlineLayer;
///
/// let mut layers = Layers::default();
/// layers.deadline = DeadlineLayer::new(Duration::from_secs(5));
/// layers.retry = layers.retry.attempts(5);
/// let client = layers.over(Connector::new());
/// # let _: outrigger::Stack<Connector<outrigger::SentBody<outrigger::connector::AnyBody>>> = client;
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Layers {
    /// One id for each logical call, in `x-request-id`.
    pub request_id: RequestIdLayer,
    /// One key for each logical POST and PATCH, in `idempotency-key`, as draft-ietf-httpapi has it.
    pub idempotency: IdempotencyKeyLayer,
    /// The caller's patience: waiting, attempts and pauses, up to the response head.
    pub deadline: DeadlineLayer,
    /// Further attempts, where they are safe, worth it and affordable.
    pub retry: RetryLayer,
    /// Refusals while an endpoint fails, so that neither it nor the caller is kept busy in vain.
    pub breaker: BreakerLayer,
    /// How often attempts go. By default there is no quota, and the layer does nothing.
    pub rate_limit: RateLimitLayer,
    /// How many attempts are under way. By default there is no limit, and the layer does nothing.
    pub concurrency: ConcurrencyLayer,
    /// One attempt up to the response head, and the pauses within both bodies.
    pub timeout: TimeoutLayer,
}

/// The default stack over a connector `C`, written from the outside in.
///
/// It grows with each layer that joins: name it as `Stack<C>`, not by its parts. Its layers wrap the
/// request's body, so the connector is one of [`SentBody`], never of the body itself; to rustc the
/// difference is that `oneshot` has “unsatisfied trait bounds”.
///
/// ```
/// use http::Request;
/// use outrigger::connector::{AnyBody, Connector};
/// use outrigger::{BoxError, SentBody, Stack};
/// use tower::ServiceExt;
///
/// /// In an axum `State`, say; `AnyBody` takes bodies of every kind.
/// #[derive(Clone)]
/// struct App {
///     client: Stack<Connector<SentBody<AnyBody>>>,
/// }
///
/// async fn ask(app: &App) -> Result<(), BoxError> {
///     let request = Request::get("http://shop.example/").body(AnyBody::default())?;
///     tokio::spawn(app.client.clone().oneshot(request)).await??;
///     Ok(())
/// }
/// # let app = App { client: outrigger::stack(Connector::new()) };
/// # drop(ask(&app));
/// ```
pub type Stack<C> = Roof<
    RequestIdService<
        IdempotencyKeyService<DeadlineService<RetryService<AttemptService<C>, Exponential>>>,
    >,
>;

/// What stands below the retry: all that one attempt meets.
type AttemptService<C> = BreakerService<
    RateLimitService<ConcurrencyService<TimeoutService<C>>>,
    ByEndpoint,
    HttpClassify,
>;

/// What the connector under the default stack is given to send for a request body `B`.
pub type SentBody<B> = RequestBody<ReplayBody<B>>;

/// What a caller of the default stack is given to read for a connector's response body `R`.
///
/// It fails with a [`BoxError`](crate::BoxError), which `?` turns into an [`Error`](crate::Error) but not into a
/// `Box<dyn Error>` that is not `Send + Sync`.
pub type ReceivedBody<R> = ResponseBody<RetryBody<AttemptBody<R>>>;

type AttemptBody<R> = breaker::ResponseBody<ConcurrencyBody<ResponseBody<R>>, HttpClassify>;

impl Layers {
    /// Stands the layers on a connector, outermost first: this is the whole default stack.
    ///
    /// A call sets its own limits and wishes in its request's extensions, whatever the layers say.
    /// For other layers or another order write a [`ServiceBuilder`] of your own: it is no longer than
    /// this function.
    pub fn over<C>(self, connector: C) -> Stack<C> {
        ServiceBuilder::new()
            .layer_fn(Roof::new)
            .layer(self.request_id)
            .layer(self.idempotency)
            .layer(self.deadline)
            .layer(self.retry)
            .layer(self.breaker)
            .layer(self.rate_limit)
            .layer(self.concurrency)
            .layer(self.timeout)
            .service(connector)
    }
}

impl Default for Layers {
    fn default() -> Self {
        Self {
            request_id: RequestIdLayer::default(),
            idempotency: IdempotencyKeyLayer::new(KeyFormat::StructuredString),
            deadline: DeadlineLayer::default(),
            retry: RetryLayer::default(),
            breaker: BreakerLayer::default(),
            rate_limit: RateLimitLayer::unlimited(),
            concurrency: ConcurrencyLayer::unlimited(),
            timeout: TimeoutLayer::default(),
        }
    }
}

/// Stands the default layers on a connector: [`Layers::over`] with every default.
pub fn stack<C>(connector: C) -> Stack<C> {
    Layers::default().over(connector)
}
