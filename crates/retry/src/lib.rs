//! Retries that can neither double-charge nor storm, as a tower layer.
//!
//! A request is sent again when the server did nothing with it, or when to execute it twice is harmless:
//! its method is idempotent, its caller says [`Idempotent`], or the server honours its idempotency key.
//! Which outcomes are worth it is a [table](decisions), and `docs/retrying-safely.md` in the repository
//! says why. Each retry is paid from a [`Budget`] that only success fills, pauses with full jitter, obeys
//! `Retry-After` or gives up, and keeps the deadline. Bodies of any kind are replayed while they stream
//! ([`ReplayBody`]); nothing is ever collected first, and what is too long to be kept can be made once
//! more ([`Rewind`]).
//!
//! ```
//! use outrigger_retry::{Attempts, RetryLayer};
//! use outrigger_testkit::{Body, Reply, mock::Mock};
//! use tower::{BoxError, ServiceBuilder, ServiceExt};
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), BoxError> {
//! let server = Mock::new();
//! server.on(http::Method::PUT, "/").times(1, Reply::status(503)).always(Reply::status(200));
//! server.post("/").always(Reply::status(503));
//! let client = ServiceBuilder::new().layer(RetryLayer::new()).service(server);
//!
//! let stream = Body::empty().data("a body ").data("in two frames");
//! let response = client.clone().oneshot(http::Request::put("http://a.example/").body(stream)?).await?;
//! assert_eq!(response.status(), 200);
//! assert_eq!(response.extensions().get::<Attempts>().unwrap().made(), 2);
//!
//! // Nobody knows what a second POST would do: it is not sent.
//! let response = client.oneshot(http::Request::post("http://a.example/").body(Body::empty())?).await?;
//! assert_eq!(response.status(), 503);
//! assert!(response.extensions().get::<Attempts>().is_none());
//! # Ok(())
//! # }
//! ```
//!
//! | readiness | state; `clone`; `layer` | errors | cancellation |
//! |---|---|---|---|
//! | always ready; each attempt waits for the inner service | budgets and replay memory, which clones share; `layer` begins afresh, but for budgets that were given | the inner service's own after one attempt; after more [`Exhausted`], with the last one as `source()`; [`RetryAborted`] | a price that was not spent goes back, what was kept is freed |
//!
//! It stands inside whatever belongs to a call as a whole (ids, keys, the deadline, redirects) and outside
//! whatever belongs to an attempt (breaker, limits, attempt timeout, signatures). It changes the type of
//! the request body: over a service that takes one type only, such as tonic's `Channel`, put a
//! `MapRequestBody` below it. Retries multiply: within another retry layer of the same call it keeps out.

mod attempts;
mod budget;
mod budgets;
mod error;
mod future;
mod hint;
mod layer;
mod policy;
mod replay;
mod response_body;
mod run;
mod service;
mod sync;
mod tokens;
mod wishes;

#[doc = include_str!("../docs/decisions.md")]
pub mod decisions {}

pub use self::attempts::{Attempt, Attempts};
pub use self::budget::Budget;
pub use self::budgets::Budgets;
pub use self::error::{Exhausted, RetryAborted};
pub use self::future::RetryFuture;
pub use self::layer::RetryLayer;
pub use self::replay::{ReplayBody, Rewind};
pub use self::response_body::RetryBody;
pub use self::service::RetryService;
pub use self::wishes::{Idempotent, Retries};
pub use outrigger_core::{Exponential, Jitter, Outcome};
