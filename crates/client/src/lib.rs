//! Outbound HTTP that stays upright: resilient tower layers around a hyper HTTP/2 connector.
//!
//! This crate is the one door to them. [`stack`] stands the default [`Layers`] on a connector;
//! [`request_id`], [`idempotency`], [`timeout`], [`retry`], [`breaker`], [`rate_limit`], `backoff` and
//! [`connector`] hold each of
//! them alone, behind the feature of the same name; and whatever fails comes out as one [`Error`].
//!
//! ```
//! use std::time::Duration;
//!
//! use bytes::Bytes;
//! use http::Request;
//! use http_body_util::{BodyExt, Full};
//! use outrigger::connector::{Connector, HttpVersion};
//! use outrigger::timeout::Timeouts;
//! use outrigger::{BoxError, ErrorKind, Outcome, Phase};
//! use outrigger_testkit::{Server, upstream::Upstream};
//! use tower::ServiceExt;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), BoxError> {
//! let upstream = Server::bind(Upstream::new()).await?;
//! let client = outrigger::stack(Connector::new().http(HttpVersion::H2c));
//!
//! let request = Request::post(upstream.url("/echo")).body(Full::from("hello"))?;
//! let response = client.clone().oneshot(request).await?;
//! assert_eq!(response.into_body().collect().await?.to_bytes(), "hello");
//! assert_eq!(upstream.log().entries()[0].request_id().map(str::len), Some(36));
//!
//! // This server executes the request and never answers; this call has patience for 50 ms.
//! let request = Request::get(upstream.url("/silence"))
//!     .extension(Timeouts::new().attempt(Duration::from_millis(50)))
//!     .body(Full::<Bytes>::default())?;
//! let error = client.oneshot(request).await.unwrap_err();
//! assert_eq!((error.kind(), error.phase()), (ErrorKind::Timeout, Some(Phase::Attempt)));
//! assert_eq!(error.outcome(), Outcome::Ambiguous); // it may have been executed, and it was
//! # Ok(())
//! # }
//! ```
//!
//! | readiness | state; `clone`; `stack` | errors | cancellation |
//! |---|---|---|---|
//! | always ready: a call waits in its future | the connector's pool; shared; the connector it is given | [`Error`] | the attempt's place is given back, its stream reset |
//!
//! It is the whole way of a call: your code above it, the network below. The defaults are the layers'
//! own, and this is all of them:
//!
#![doc = include_str!("defaults.md")]

mod attempt;
mod error;
mod kind;
#[cfg(all(
    feature = "breaker",
    feature = "idempotency",
    feature = "rate-limit",
    feature = "request-id",
    feature = "retry",
    feature = "timeout"
))]
mod layers;
#[cfg_attr(not(feature = "retry"), path = "no_retried.rs")]
mod retried;

#[cfg(feature = "backoff")]
pub use outrigger_backoff as backoff;
#[cfg(feature = "breaker")]
pub use outrigger_breaker as breaker;
#[cfg(feature = "connector")]
pub use outrigger_connector as connector;
#[cfg(feature = "idempotency")]
pub use outrigger_idempotency as idempotency;
#[cfg(feature = "rate-limit")]
pub use outrigger_rate_limit as rate_limit;
#[cfg(feature = "request-id")]
pub use outrigger_request_id as request_id;
#[cfg(feature = "retry")]
pub use outrigger_retry as retry;
#[cfg(feature = "timeout")]
pub use outrigger_timeout as timeout;

pub use outrigger_core::{
    Blame, BoxError, Deadline, Elapsed, Endpoint, Failure, Fault, Outcome, Phase, Rejected,
    RequestId, find,
};

pub use self::attempt::Attempt;
pub use self::error::Error;
pub use self::kind::ErrorKind;
#[cfg(all(
    feature = "breaker",
    feature = "idempotency",
    feature = "rate-limit",
    feature = "request-id",
    feature = "retry",
    feature = "timeout"
))]
pub use self::layers::{Layers, ReceivedBody, SentBody, Stack, stack};

/// The README's examples are tests.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
