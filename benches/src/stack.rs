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

use crate::Instant;

/// All layers over a service that answers at once, in the order and with the defaults of the client's
/// stack.
pub type Stack =
    RequestIdService<IdempotencyKeyService<DeadlineService<RetryService<Attempt, Exponential>>>>;

type Attempt = BreakerService<
    RateLimitService<ConcurrencyService<TimeoutService<Instant>>>,
    ByEndpoint,
    HttpClassify,
>;

/// The stack: two of its limits are off.
pub fn stack() -> Stack {
    ServiceBuilder::new()
        .layer(RequestIdLayer::default())
        .layer(IdempotencyKeyLayer::new(KeyFormat::StructuredString))
        .layer(DeadlineLayer::default())
        .layer(RetryLayer::default())
        .layer(BreakerLayer::default())
        .layer(RateLimitLayer::unlimited())
        .layer(ConcurrencyLayer::unlimited())
        .layer(TimeoutLayer::default())
        .service(Instant)
}
