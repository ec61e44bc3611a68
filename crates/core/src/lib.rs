//! The few words that Outrigger's layers exchange; none of them knows a layer.
//!
//! A layer says what went wrong with a [`Failure`], an [`Elapsed`] or a [`Rejected`] in its error's
//! `source()` chain, and whoever must decide reads it with [`Fault::of`]. What the layers of one call
//! tell each other stands in the [`call`] that is current.
//!
//! ```
//! use outrigger_core::{Blame, Fault, Outcome, Rejected, find};
//!
//! let refused: outrigger_core::BoxError = Rejected::new("breaker").into();
//! let fault = Fault::of(&*refused);
//! assert_eq!((fault.outcome, fault.blame), (Outcome::Unsent, Blame::Us));
//! assert_eq!(find::<Rejected>(&*refused).map(Rejected::by), Some("breaker"));
//! ```
//!
//! | what a call meets | word |
//! |---|---|
//! | what became of an attempt | [`Outcome`] |
//! | whose doing a failure is, and whether trying again can help | [`Fault`], [`Blame`] |
//! | what that says of the peer | [`Verdict`], [`Classify`] |
//! | the caller's patience | [`Deadline`], [`Elapsed`], [`Phase`] |
//! | our own refusal | [`Rejected`] |
//! | where it goes, and what is known of there | [`Endpoint`], [`Keyed`] |
//! | who it is | [`RequestId`], [`inbound`] |
//! | how its body ended | [`Tracked`], [`Settle`], [`End`] |
//! | what the server asks of us | [`RetryAfter`], [`grpc_timeout`] |
//! | how long to pause | [`Exponential`], [`Jitter`] |
//!
//! A crate that is no part of Outrigger is understood as soon as its errors carry a [`Failure`]. With
//! the feature `hyper`, errors of hyper, h2 and hyper-util's client are understood as they are.

pub mod call;
mod classify;
mod deadline;
mod elapsed;
mod endpoint;
mod exponential;
mod failure;
mod fault;
pub mod grpc_timeout;
pub mod inbound;
mod keyed;
mod rejected;
mod request_id;
mod retry_after;
mod tracked;
mod transport;

pub use self::classify::{Classify, GrpcClassify, HttpClassify, Verdict};
pub use self::deadline::Deadline;
pub use self::elapsed::{Elapsed, Phase};
pub use self::endpoint::{Endpoint, NoEndpoint};
pub use self::exponential::{Exponential, Jitter};
pub use self::failure::Failure;
pub use self::fault::{Blame, Fault, Outcome, find};
pub use self::keyed::{Keyed, Spare};
pub use self::rejected::Rejected;
pub use self::request_id::{InvalidRequestId, RequestId};
pub use self::retry_after::RetryAfter;
pub use self::tracked::{End, Settle, Tracked};
pub use self::transport::left_out;

/// An error of any kind.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;
