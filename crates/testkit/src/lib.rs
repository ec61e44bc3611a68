//! Scripted, in-memory and misbehaving upstreams, a mock service and a tower contract probe.
//!
//! For tests of HTTP clients and of tower layers: what RESPX is to httpx, and more of `tower-test`. The
//! servers are real ones on real sockets, or on pipes under a paused clock; each writes down what it
//! executed before it answers or fails, so that a test can assert what the server did and not only
//! what the client saw.
//!
//! ```
//! use http_body_util::Empty;
//! use hyper_util::{client::legacy::Client, rt::TokioExecutor};
//! use outrigger_testkit::{Reply, memory::InMemory, upstream::{Behaviour, Upstream}};
//! use std::time::Duration;
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), outrigger_testkit::BoxError> {
//! let upstream = Upstream::new();
//! let slow = Reply::status(200).after(Duration::from_secs(3600));
//! upstream.get("/orders").times(1, Behaviour::refuse()).always(slow);
//! let memory = InMemory::new(upstream);
//!
//! let client = Client::builder(TokioExecutor::new())
//!     .http2_only(true)
//!     .build::<_, Empty<&'static [u8]>>(memory.dialer());
//! assert!(client.get("http://shop.test/orders".parse()?).await.is_err());
//! assert!(memory.log().executed().is_empty());
//! assert_eq!(client.get("http://shop.test/orders".parse()?).await?.status(), 200);
//! assert_eq!(memory.log().executed().len(), 1);
//! # Ok(())
//! # }
//! ```
//!
//! | to test | take |
//! |---|---|
//! | a layer's answers and retries, without sockets | [`mock::Mock`] |
//! | a layer's use of the service below it | [`probe::ContractProbe`] |
//! | a client against a server that fails as real ones do | [`upstream::Upstream`] in a [`Server`] |
//! | the same with time under control | [`upstream::Upstream`] in [`memory::InMemory`] |
//! | a client against frames no server would send | [`raw::Script`] in either |
//! | TLS and ALPN | `Tls` around either (feature `tls`) |
//! | bodies that pause, break or hang | [`Body`] |
//! | that cancelled calls leak nothing | [`drop_at_every_poll`] |
//!
//! What a test scripts wrongly, and an expectation that is not met, panics. All waiting follows tokio's
//! pausable clock; sockets do not, so pause it only where there are none.

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
