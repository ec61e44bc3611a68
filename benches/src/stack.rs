//! The layers of the client's stack, without its connector.

use outrigger_breaker::{BreakerLayer, BreakerService, ByEndpoint, HttpClassify};
use outrigger_idempotency::{IdempotencyKeyLayer, IdempotencyKeyService, KeyFormat};
use outrigger_rate_limit::{
    ConcurrencyLayer, ConcurrencyService, RateLimitLayer, RateLimitService,
};
use outrigger_request_id::{RequestIdLayer, RequestIdService};
use outrigger_retry::{Exponential, RetryLayer, RetryService};
use outrigger_timeout::{DeadlineLayer, DeadlineService, TimeoutLayer, TimeoutService};
use tower::ServiceBuilder;

/// All layers over a service, in the order and with the defaults of the client's stack.
pub type Stack<S> =
    RequestIdService<IdempotencyKeyService<DeadlineService<RetryService<Attempt<S>, Exponential>>>>;

type Attempt<S> = BreakerService<
    RateLimitService<ConcurrencyService<TimeoutService<S>>>,
    ByEndpoint,
    HttpClassify,
>;

/// The layers over this service: two of their limits are off.
pub fn stack<S>(service: S) -> Stack<S> {
    ServiceBuilder::new()
        .layer(RequestIdLayer::default())
        .layer(IdempotencyKeyLayer::new(KeyFormat::StructuredString))
        .layer(DeadlineLayer::default())
        .layer(RetryLayer::default())
        .layer(BreakerLayer::default())
        .layer(RateLimitLayer::unlimited())
        .layer(ConcurrencyLayer::unlimited())
        .layer(TimeoutLayer::default())
        .service(service)
}
