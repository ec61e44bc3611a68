//! Scripted, in-memory and misbehaving upstreams, a mock service and a tower contract probe.

mod log;
pub mod probe;
pub mod raw;
mod server;
mod time;
mod transport;

pub use self::{
    log::Log,
    server::{Serve, Server},
    transport::Transport,
};

/// Any error, as tower's services pass it on.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;
