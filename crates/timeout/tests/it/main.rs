//! The contract of the two layers, on a paused clock; the wire, over real sockets.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "helpers of tests are tests"
)]

mod attempt;
mod body_idle;
mod budget;
mod contract;
mod deadline;
mod propagation;
mod readiness;
mod support;
mod total_body;
mod upload;
mod upsets;
mod wire;
