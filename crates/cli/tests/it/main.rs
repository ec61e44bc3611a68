//! The command, driven as a process over the loopback.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod attempts;
mod body;
mod command;
mod exit;
mod load;
mod output;
mod proxy;
mod rate;
mod refusals;
mod report;
mod storm;
mod tls;
mod upstream;
