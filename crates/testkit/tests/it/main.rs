//! The test kit seen by real clients.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod client;
mod probe;
mod raw;
