//! Scripted, in-memory and misbehaving upstreams, a mock service and a tower contract probe.

mod log;
pub mod raw;
mod server;
mod time;
mod transport;

pub use self::{
    log::Log,
    server::{Serve, Server},
    transport::Transport,
};
