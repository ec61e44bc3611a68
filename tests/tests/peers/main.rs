//! The stack against servers that others wrote: nginx and node's http2, each from its package.
//!
//! Both take leave of connections all the time, and are restarted under traffic. The servers write
//! down what they execute. Where one is not installed its tests say so and are left out, except where
//! `CI=true`: there they fail.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod nginx;
mod node;
mod process;
mod quota;
mod traffic;
