//! The test kit seen by real clients.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod body;
mod client;
mod drops;
mod memory;
mod mock;
mod probe;
mod raw;
#[cfg(feature = "tls")]
mod tls;
mod upstream;
