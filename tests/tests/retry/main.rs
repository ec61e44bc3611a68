//! The retry layer over real sockets: what servers execute, and what reaches them.

#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod grpc;
mod lost;
mod peers;
mod table;
mod tiers;
mod uploads;
mod wire;

use std::time::Duration;

use outrigger_retry::Exponential;

/// Pauses that a test does not notice.
fn short() -> Exponential {
    Exponential::new(Duration::from_millis(1), Duration::from_millis(1))
}
