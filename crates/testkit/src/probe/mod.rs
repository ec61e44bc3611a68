//! A service that fails the test when the layer above it breaks tower's contract.
//!
//! [`ContractProbe`] is both the layer that is put under the code to be judged and the handle that
//! judges. A clone is never ready; `call` needs a fresh `Ready` of that very instance; after an
//! `Err` from `poll_ready` the instance is dead; a response future is not polled once it has
//! answered. Whoever breaks a rule panics on the spot with a sentence that says which. Because a
//! spawned task may swallow that panic, [`ContractProbe::assert_clean`] repeats it at the end.
//!
//! ```
//! use outrigger_testkit::probe::ContractProbe;
//! use tower::{Service, ServiceExt, limit::ConcurrencyLimit};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), outrigger_testkit::BoxError> {
//! let probe = ContractProbe::new();
//! let echo = probe.answer(|word: &'static str| async move { Ok(word) });
//!
//! let mut service = ConcurrencyLimit::new(echo, 1);
//! assert_eq!(service.ready().await?.call("ping").await?, "ping");
//! assert_eq!(service.ready().await?.call("pong").await?, "pong");
//!
//! probe.assert_clean();
//! probe.assert_idle();
//! assert_eq!(probe.counts().completed, 2);
//! # Ok(())
//! # }
//! ```

mod answer;
mod contract;
mod counts;
mod flight;
mod future;
mod probed;
mod reservation;
mod state;

pub use self::{
    answer::Answer, contract::ContractProbe, counts::Counts, future::ResponseFuture, probed::Probed,
};
