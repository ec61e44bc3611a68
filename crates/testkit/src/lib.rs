//! Scripted, in-memory and misbehaving upstreams, a mock service and a tower contract probe.

mod body;
mod log;
pub mod mock;
pub mod probe;
pub mod raw;
mod reply;
mod server;
mod time;
mod transport;

pub use self::{
    body::Body,
    log::Log,
    reply::Reply,
    server::{Serve, Server},
    transport::Transport,
};

/// Any error, as tower's services pass it on.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;
