//! Keeps outbound calls within a quota, and within a number at a time.
//!
//! [`RateLimitLayer`] lets a call go when a token bucket has a token for it; until then the call waits
//! for its turn in the order in which it came, or is refused at once when that takes too long.
//! [`ConcurrencyLayer`] lets so many calls be under way, each until the end of its response body.
//!
//! ```
//! use std::num::NonZeroU32;
//! use std::time::Duration;
//! use http::{Request, Response};
//! use outrigger_core::{BoxError, find};
//! use outrigger_rate_limit::{Limited, Quota, RateLimitLayer};
//! use tokio::time::Instant;
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), BoxError> {
//! const TWO: NonZeroU32 = NonZeroU32::new(2).unwrap();
//! let quota = Quota::per_second(TWO).burst(TWO);
//! let server = service_fn(async |_: Request<()>| Ok::<_, BoxError>(Response::new(())));
//! let client = ServiceBuilder::new().layer(RateLimitLayer::new(quota)).service(server);
//!
//! let start = Instant::now();
//! let mut answered = Vec::new();
//! for _ in 0..4 {
//!     client.clone().oneshot(Request::get("http://a.example/").body(())?).await?;
//!     answered.push(start.elapsed().as_millis());
//! }
//! assert_eq!(answered, [0, 0, 500, 1_000]);
//!
//! let hasty = ServiceBuilder::new().layer(RateLimitLayer::new(quota).refuse());
//! let hasty = hasty.service_fn(async |_: Request<()>| Ok::<_, BoxError>(Response::new(())));
//! let calls = [(); 3].map(|()| hasty.clone().oneshot(Request::new(())));
//! let mut refused = Vec::new();
//! for call in calls {
//!     refused.extend(call.await.err());
//! }
//! let limited: &Limited = find(&*refused[0]).expect("the third");
//! assert_eq!(limited.retry_at() - Instant::now(), Duration::from_millis(500));
//! # Ok(())
//! # }
//! ```
//!
//! | | readiness | state; `clone`; `layer` | errors | cancellation |
//! |---|---|---|---|---|
//! | rate | always ready: the waits for a token and for the inner service belong to the call | a bucket per endpoint; clones share it; `layer` begins afresh | the inner service's; [`Limited`], [`NeverFits`] | a call that waits gives its place to the next |
//! | concurrency | always ready, likewise | permits per endpoint; clones share them; `layer` begins afresh | the inner service's; [`Saturated`] | its permit goes to the next |
//!
//! # The rate
//!
//! In a stack it stands inside retries and a circuit breaker, so that each attempt pays and waiting is
//! nobody's fault, and outside the timeout of an attempt.
//!
//! **What is promised.** In any span of time of length `t` at most `burst + rate × t` goes, whatever is
//! cancelled and however late the runtime is. Timers tick once in a millisecond: at more than 500 calls
//! a second those that are due in the same tick go together, as if the burst were what the rate yields in
//! 2 ms, where that is more.
//!
//! **Who waits.** A token is taken when its call goes, with nothing in between, and never before: it
//! cannot be lost with a call that was cancelled, and those behind move up. While a call waits it holds
//! nothing of the layers below. When it is its turn and the inner service is not ready, the next one goes
//! first; the call takes a token when the inner service is ready, or lines up again with what is left of
//! its patience.
//!
//! **Who is refused.** A call whose turn comes later than the longest wait or its deadline, or that finds
//! the line full, is refused in `call`, with the instant that would have been its turn. A turn that is put
//! off later, because the server asks for less, ends the wait in the same way.
//!
//! **What answers change.** A 429, and a 503 with `Retry-After`, halve the rate, once for all calls that
//! were under way. `Retry-After` with them stops all calls for so long. `RateLimit` and
//! `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers) slow the rate down to what is left for the
//! time that it must last, from where it recovers like any other; none left stops all calls until the window ends. Malformed fields are ignored.
//! Nothing makes calls faster than the quota. No stop is longer than 60 s, and up to a tenth more at
//! random; the rate never falls below a tenth of the quota, and recovers by itself in at most 30 s.
//!
//! Several processes that share one quota at the server each need their part of it.
//!
//! # The number at a time
//!
//! A rate is no bound on what is under way: when answers take longer, more of them do. A permit lives
//! until the response body has been read, has failed or was dropped, and with an error until that. In a
//! stack the layer stands inside the rate limit, so that nobody holds a permit while waiting for a token.
//! A call that has its permit keeps it while the inner service is not ready: what waits below counts.
//!
//! # Shedding load
//!
//! `tower`'s `LoadShed` above these layers does nothing, for they are always ready. They shed by themselves
//! what cannot go in time: by [`refuse`](RateLimitLayer::refuse), [`wait`](RateLimitLayer::wait) and
//! [`queue`](RateLimitLayer::queue), from what is really under way.

mod advice;
mod attached;
mod brake;
mod bucket;
mod concurrency;
mod entry;
mod error;
mod future;
mod handle;
mod layer;
mod limiter;
mod limits;
mod line;
mod quota;
mod rare;
mod service;
mod structured;
mod sync;
mod table;
mod wait;

pub use self::concurrency::{
    ConcurrencyBody, ConcurrencyFuture, ConcurrencyHandle, ConcurrencyLayer, ConcurrencyService,
    Occupancy, Permit, Saturated,
};
pub use self::error::{Limited, NeverFits};
pub use self::future::RateLimitFuture;
pub use self::handle::{RateLimitHandle, Snapshot};
pub use self::layer::RateLimitLayer;
pub use self::quota::Quota;
pub use self::service::RateLimitService;
