//! The one door, from outside.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod error;
mod stack;
