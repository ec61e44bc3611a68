//! The retry layer over real sockets: what servers execute, and what reaches them.

#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod grpc;
mod table;

use std::future::{Future, poll_fn};
use std::pin::pin;

use outrigger_core::call::{self, Call, Scope};

/// Makes a call within a Call of which this was said before.
async fn within<F: Future>(said: impl Fn(&mut Call), call: impl FnOnce() -> F) -> F::Output {
    let mut scope = Scope::begin();
    let mut future = pin!(scope.run(|| {
        call::update(said);
        call()
    }));
    poll_fn(|cx| scope.run(|| future.as_mut().poll(cx))).await
}
