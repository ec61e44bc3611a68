//! The retry layer over real sockets: what servers execute, and what reaches them.

#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod grpc;
mod lost;
mod table;
