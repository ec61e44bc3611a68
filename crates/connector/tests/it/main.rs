//! The connector against real sockets and in-memory ones.

mod basics;
#[cfg(test)]
mod support;
