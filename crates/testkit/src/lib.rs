//! Scripted, in-memory and misbehaving upstreams, a mock service and a tower contract probe.

mod body;
mod log;
pub mod mock;
pub mod probe;
pub mod raw;
mod reply;
mod route;
mod routes;
mod server;
mod time;
mod transport;
pub mod upstream;

pub use self::{
    body::Body,
    log::Log,
    reply::Reply,
    route::{Exhausted, Route},
    server::{Serve, Server},
    transport::Transport,
};

/// Any error, as tower's services pass it on.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;
