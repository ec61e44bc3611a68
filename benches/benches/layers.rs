//! Instructions of one GET with four headers through each layer, over a service that is ready and
//! answers at once. Each has its limit above the bare service: a layer that grows dearer turns this
//! red.
//!
//! What is counted: from the request in hand to the response in hand, the response future made, polled
//! once and dropped. Not counted: to build the request, to free request and response, and to move the
//! service, which stays where it is. The request is in memory where the transport would read it. All of
//! that holds for the bare service too, and it is subtracted; with it each figure is 125 larger, and
//! `tower`'s own Timeout is then 286 and its Retry 1,156.
//!
//! | above the bare service | wanted | reached |
//! |---|---:|---:|
//! | attempt's timeout | 200 | 190 |
//! | the same, switched off | 40 | 46 |
//! | deadline | 200 | 363 |
//! | breaker: an endpoint's circuit, one for all | 500, 320 | 439, 311 |
//! | rate limit: an endpoint's bucket, one for all | 430, 250 | 346, 221 |
//! | so many calls at a time | 430 | 265 |
//! | breaker, rate, calls at a time, switched off | 40 | 54, 53, 53 |
//! | request id | 850 | 804 |
//! | retry | 1,400 | 1,370 |
//! | retry, switched off for the call | 250 | 153 |
//! | `tower`: Timeout, Retry | | 161, 1,031 |
//! | `tower-resilience`: breaker, one circuit for all | | 1,479 |
//!
//! Where an endpoint is looked for, each slot of the table that another one had first adds 10.
//!
//! Where more is reached than wanted, the limits here hold that. Most of the rest is spent moving requests,
//! responses and futures, which are large values.

use std::future::{Ready, ready};
use std::mem;
use std::num::NonZeroU32;
use std::time::Duration;

use bytes::Bytes;
use gungraun::{LibraryBenchmarkConfig, library_benchmark, library_benchmark_group, main};
use http::{Request, Response};
use http_body_util::Empty;
use outrigger_benches::{Instant, above_bare, call, get};
use outrigger_breaker::{BreakerLayer, BreakerService, ByEndpoint, HttpClassify};
use outrigger_rate_limit::{
    ConcurrencyLayer, ConcurrencyService, Quota, RateLimitLayer, RateLimitService,
};
use outrigger_request_id::{RequestIdLayer, RequestIdService};
use outrigger_retry::{Retries, RetryLayer, RetryService};
use outrigger_timeout::{DeadlineLayer, DeadlineService, TimeoutLayer, TimeoutService};
use tower::retry::{Policy, Retry};
use tower::timeout::{Timeout, TimeoutLayer as TowerTimeoutLayer};
use tower::{BoxError, Layer, Service};
use tower_resilience_circuitbreaker::{CircuitBreaker, CircuitBreakerLayer, DefaultClassifier};

type Get = Request<Empty<Bytes>>;

type Case<S> = outrigger_benches::Case<S, Get>;

/// The breaker by itself.
type Breaker = BreakerService<Instant, ByEndpoint, HttpClassify>;

const PLENTY: NonZeroU32 = NonZeroU32::new(1_000_000).unwrap();

/// Each service after a few calls, and the next request.
mod warm {
    use super::*;

    pub fn bare() -> Case<Instant> {
        over(Instant)
    }

    pub fn deadline() -> Case<DeadlineService<Instant>> {
        over(DeadlineLayer::default().layer(Instant))
    }

    pub fn timeout() -> Case<TimeoutService<Instant>> {
        over(TimeoutLayer::default().layer(Instant))
    }

    pub fn timeout_off() -> Case<TimeoutService<Instant>> {
        over(TimeoutLayer::default().enabled(false).layer(Instant))
    }

    pub fn rate_limit() -> Case<RateLimitService<Instant>> {
        over(plenty().layer(Instant))
    }

    pub fn rate_limit_shared() -> Case<RateLimitService<Instant>> {
        over(plenty().shared().layer(Instant))
    }

    pub fn rate_limit_off() -> Case<RateLimitService<Instant>> {
        over(plenty().enabled(false).layer(Instant))
    }

    fn plenty() -> RateLimitLayer {
        RateLimitLayer::new(Quota::per_second(PLENTY).burst(PLENTY))
    }

    pub fn concurrency() -> Case<ConcurrencyService<Instant>> {
        over(ConcurrencyLayer::new(PLENTY).layer(Instant))
    }

    pub fn concurrency_off() -> Case<ConcurrencyService<Instant>> {
        over(ConcurrencyLayer::unlimited().layer(Instant))
    }

    pub fn breaker() -> Case<Breaker> {
        over(BreakerLayer::default().layer(Instant))
    }

    pub fn breaker_shared() -> Case<Breaker> {
        over(BreakerLayer::default().shared().layer(Instant))
    }

    pub fn breaker_off() -> Case<Breaker> {
        over(BreakerLayer::default().enabled(false).layer(Instant))
    }

    pub fn request_id() -> Case<RequestIdService<Instant>> {
        over(RequestIdLayer::new().layer(Instant))
    }

    pub fn retry() -> Case<RetryService<Instant>> {
        over(RetryLayer::new().layer(Instant))
    }

    pub fn retry_switched_off_for_the_call() -> Case<RetryService<Instant>> {
        let (service, mut request) = retry();
        request.extensions_mut().insert(Retries::NONE);
        (service, request)
    }

    pub fn retry_off() -> Case<RetryService<Instant>> {
        over(RetryLayer::new().enabled(false).layer(Instant))
    }

    pub fn rival_breaker() -> Case<CircuitBreaker<Instant, DefaultClassifier>> {
        over(
            CircuitBreakerLayer::builder()
                .build()
                .unwrap()
                .layer(Instant),
        )
    }

    /// Its policy copies the request, and retries nothing.
    pub fn tower_retry() -> Case<Retry<Copying, Instant>> {
        over(Retry::new(Copying, Instant))
    }

    /// Its timer is made with each call, and needs a runtime.
    pub fn tower_timeout() -> Case<Timeout<Instant>> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap();
        mem::forget(Box::leak(Box::new(runtime)).enter());
        over(TowerTimeoutLayer::new(Duration::from_secs(10)).layer(Instant))
    }

    fn over<S: Service<Get>>(service: S) -> Case<S> {
        outrigger_benches::warm(service, get)
    }
}

/// A policy as people write it for `tower::retry`: it keeps a copy and looks at the status.
#[derive(Clone)]
pub struct Copying;

impl Policy<Get, Response<Empty<Bytes>>, BoxError> for Copying {
    type Future = Ready<()>;

    fn retry(
        &mut self,
        _: &mut Get,
        result: &mut Result<Response<Empty<Bytes>>, BoxError>,
    ) -> Option<Ready<()>> {
        let failed = !result
            .as_ref()
            .is_ok_and(|response| response.status().is_success());
        failed.then(|| ready(()))
    }

    fn clone_request(&mut self, request: &Get) -> Option<Get> {
        Some(request.clone())
    }
}

macro_rules! measure {
    ($name:ident, $service:ty, $config:expr) => {
        #[library_benchmark(setup = warm::$name, config = $config)]
        #[bench::get()]
        fn $name((service, request): Case<$service>) -> <$service as Service<Get>>::Response {
            call(service, request)
        }
    };
}

measure!(bare, Instant, above_bare(0));
measure!(timeout, TimeoutService<Instant>, above_bare(195));
measure!(timeout_off, TimeoutService<Instant>, above_bare(50));
measure!(deadline, DeadlineService<Instant>, above_bare(370));
measure!(rate_limit, RateLimitService<Instant>, above_bare(375));
measure!(
    rate_limit_shared,
    RateLimitService<Instant>,
    above_bare(224)
);
measure!(rate_limit_off, RateLimitService<Instant>, above_bare(57));
measure!(concurrency, ConcurrencyService<Instant>, above_bare(296));
measure!(concurrency_off, ConcurrencyService<Instant>, above_bare(57));
measure!(breaker, Breaker, above_bare(470));
measure!(breaker_shared, Breaker, above_bare(312));
measure!(breaker_off, Breaker, above_bare(58));
measure!(request_id, RequestIdService<Instant>, above_bare(850));
measure!(retry, RetryService<Instant>, above_bare(1_400));
measure!(
    retry_switched_off_for_the_call,
    RetryService<Instant>,
    above_bare(160)
);
measure!(retry_off, RetryService<Instant>, above_bare(95));
measure!(
    rival_breaker,
    CircuitBreaker<Instant, DefaultClassifier>,
    LibraryBenchmarkConfig::default()
);
measure!(
    tower_retry,
    Retry<Copying, Instant>,
    LibraryBenchmarkConfig::default()
);
measure!(
    tower_timeout,
    Timeout<Instant>,
    LibraryBenchmarkConfig::default()
);

library_benchmark_group!(
    name = one_call,
    benchmarks = [
        bare,
        timeout,
        timeout_off,
        deadline,
        rate_limit,
        rate_limit_shared,
        rate_limit_off,
        concurrency,
        concurrency_off,
        breaker,
        breaker_shared,
        breaker_off,
        request_id,
        retry,
        retry_switched_off_for_the_call,
        retry_off,
        rival_breaker,
        tower_retry,
        tower_timeout
    ]
);
main!(library_benchmark_groups = one_call);
