//! Deadlines for calls and timeouts for attempts and bodies, as tower layers.
//!
//! [`DeadlineLayer`] gives a whole call the caller's patience and shortens it by whatever the caller
//! said; [`TimeoutLayer`] gives each attempt its limit, counted from the moment it could be answered,
//! and tells the server what is left. Timers are made when something is waited for, one for both
//! layers, and what is ready always wins.
//!
//! ```
//! use std::time::Duration;
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::Empty;
//! use outrigger_core::{BoxError, find};
//! use outrigger_timeout::{DeadlineLayer, Elapsed, Phase, TimeoutLayer};
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() {
//! let client = ServiceBuilder::new()
//!     .layer(DeadlineLayer::new(Duration::from_secs(5)))
//!     .layer(TimeoutLayer::new(Duration::from_secs(2)))
//!     .service(service_fn(|_: Request<_>| std::future::pending::<Result<Response<()>, BoxError>>()));
//!
//! let error = client.oneshot(Request::new(Empty::<Bytes>::new())).await.unwrap_err();
//! let elapsed = find::<Elapsed>(&*error).unwrap();
//! assert_eq!((elapsed.phase(), elapsed.limit()), (Phase::Attempt, Duration::from_secs(2)));
//! # }
//! ```
//!
//! | | [`DeadlineLayer`] | [`TimeoutLayer`] |
//! |---|---|---|
//! | readiness | always ready: the wait is part of the call | the same |
//! | state | none; clones and `layer()` share nothing | the same |
//! | errors | [`Elapsed`] of `Total`; the inner service's own as they are | [`Elapsed`] of `Attempt`, `WriteIdle`, `BodyIdle`, `Total`; likewise |
//! | cancellation | dropping the future drops the inner call; at the deadline that happens at once | the same at any limit |
//! | request and response body | as it is; [`ResponseBody`] | [`RequestBody`]; [`ResponseBody`] |
//!
//! **Where they stand.** The deadline outside every retry, below what gives the call its id; the attempt's
//! limit inside retries, breakers and limiters, next to the connector. A breaker belongs *outside* the
//! attempt's limit, or it does not see timeouts. Needs a tokio runtime with its timer enabled.
//! `docs/timeouts.md` in the repository shows which clock runs when.

mod clock;
mod deadline;
mod limit;
mod patience;
mod progress;
mod rare;
mod request_body;
mod response_body;
mod timeout;
mod timeouts;
mod timer;
mod uncalled;

pub use self::deadline::{DeadlineFuture, DeadlineLayer, DeadlineService};
pub use self::request_body::RequestBody;
pub use self::response_body::ResponseBody;
pub use self::timeout::{TimeoutFuture, TimeoutLayer, TimeoutService};
pub use self::timeouts::Timeouts;
pub use outrigger_core::{Deadline, Elapsed, Phase};

/// Takes the instance of a service that was polled, and leaves a fresh clone.
fn renew<S: Clone>(inner: &mut S) -> S {
    let fresh = inner.clone();
    std::mem::replace(inner, fresh)
}

#[cfg(doctest)]
#[doc = include_str!("../../../docs/timeouts.md")]
struct Guide;
