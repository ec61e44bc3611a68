//! Paces everybody's calls to an endpoint that fails: jittered pauses that grow while it does.
//!
//! Per endpoint the layer keeps the run of failures and the instant of the last one. A call draws its
//! own pause for the present run and waits until that long after the last failure; a call that cannot
//! wait so long, or for which there is no place to wait, is refused at once.
//!
//! ```
//! use std::time::Duration;
//! use http::{Request, Response, StatusCode};
//! use outrigger_backoff::{BackoffLayer, Exponential, Jitter};
//! use tokio::time::Instant;
//! use tower::{BoxError, ServiceBuilder, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), BoxError> {
//! let server = service_fn(|_: Request<()>| async {
//!     let response = Response::builder().status(StatusCode::SERVICE_UNAVAILABLE);
//!     Ok::<_, BoxError>(response.body(())?)
//! });
//! let seconds = Duration::from_secs;
//! let schedule = Exponential::new(seconds(1), seconds(20)).jitter(Jitter::None);
//! let client = ServiceBuilder::new().layer(BackoffLayer::new(schedule)).service(server);
//!
//! let start = Instant::now();
//! let mut answered = Vec::new();
//! for _ in 0..4 {
//!     client.clone().oneshot(Request::get("http://a.example/").body(())?).await?;
//!     answered.push(start.elapsed());
//! }
//! assert_eq!(answered, [seconds(0), seconds(1), seconds(3), seconds(7)]);
//! # Ok(())
//! # }
//! ```
//!
//! | readiness | state; `clone`; `layer` | errors | cancellation |
//! |---|---|---|---|
//! | always ready: the waits for the pause and for the inner service belong to the call | a run per endpoint; clones share it; `layer` begins afresh | the inner service's; [`Paused`] for a call that is refused | a call that waits holds nothing; one under way counts neither way |
//!
//! It stands inside retries and outside a circuit breaker, so that each attempt is paced and a refusal
//! from below is no failure. The pause runs from the failure on: a retry layer's own pause passes at
//! the same time, and the longer of the two is the wait.
//!
//! What it goes by:
//!
//! * A **failure** is an error that is the peer's ([`Fault::of`]), a 429, and a 5xx other than 501 and
//!   505. A `Retry-After` with it is obeyed, up to 60 s, and up to a tenth more, so that not all come
//!   back at once.
//! * A **success** is any other answer. It ends the run, and what a `Retry-After` asked for.
//! * An error that is ours or the caller's, a refusal by a layer below and a call that was dropped
//!   count neither way.
//!
//! Of the calls that drew their pauses in one run, only the first failure lengthens it: a hundred that
//! fail together are one step. Who waits already is not woken by a success; what was spread out stays
//! so. A run is forgotten when for twice the schedule's longest pause nothing has failed. Answers are
//! judged by their heads: failures of the body and gRPC's trailers are not seen.
//!
//! [`Fault::of`]: outrigger_core::Fault::of

mod error;
mod future;
mod layer;
mod place;
mod run;
mod runs;
mod service;
mod verdict;

pub use outrigger_core::{Exponential, Jitter};

pub use self::error::Paused;
pub use self::future::ResponseFuture;
pub use self::layer::BackoffLayer;
pub use self::service::BackoffService;
