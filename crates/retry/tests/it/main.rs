//! What the retry layer promises, over scripted services and on a paused clock.

#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests are tests"
)]

mod answers;
mod bodies;
mod budgets;
mod contention;
mod contract;
mod heads;
mod nested;
mod overload;
mod pauses;
mod rejections;
mod support;
mod table;
