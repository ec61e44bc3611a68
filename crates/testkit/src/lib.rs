//! Scripted, in-memory and misbehaving upstreams, a mock service and a tower contract probe.

mod body;
mod drops;
mod log;
pub mod memory;
pub mod mock;
pub mod probe;
pub mod raw;
mod reply;
mod route;
mod routes;
mod server;
mod time;
#[cfg(feature = "tls")]
mod tls;
mod transport;
pub mod upstream;

pub use self::{
    body::Body,
    drops::drop_at_every_poll,
    log::Log,
    reply::Reply,
    route::{Exhausted, Route},
    server::{Serve, Server},
    transport::Transport,
};

#[cfg(feature = "tls")]
pub use self::tls::Tls;

/// Any error, as tower's services pass it on.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;
