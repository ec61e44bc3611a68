//! A scripted server over real HTTP/1.1 and HTTP/2, which misbehaves on demand.
//!
//! [`Upstream`] is served by a [`Server`](crate::Server) on a loopback port. One port takes both
//! versions; HTTP/2 by prior knowledge (h2c). A [`Route`](crate::Route) gives each request a
//! [`Behaviour`]: a [`Reply`](crate::Reply), or one of the failures real servers have. The
//! [`Log`](crate::Log) holds an [`Arrival`] per request, written before it is answered or fails, and
//! says whether the server executed it. For frames that no real server sends see [`raw`](crate::raw).
//!
//! ```
//! use http_body_util::Empty;
//! use hyper_util::{client::legacy::Client, rt::TokioExecutor};
//! use outrigger_testkit::{Reply, Server, raw::Code, upstream::{Behaviour, Upstream}};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), outrigger_testkit::BoxError> {
//! let upstream = Upstream::new();
//! upstream.get("/orders").times(1, Behaviour::reset(Code::CANCEL)).always(Reply::status(200));
//! let server = Server::bind(upstream).await?;
//!
//! let client = Client::builder(TokioExecutor::new()).http2_only(true).build_http::<Empty<&'static [u8]>>();
//! assert!(client.get(server.url("/orders").parse()?).await.is_err());
//! assert_eq!(client.get(server.url("/orders").parse()?).await?.status(), 200);
//! assert_eq!(client.get(server.url("/status/418").parse()?).await?.status(), 418);
//!
//! assert_eq!(server.connections(), 1);
//! assert_eq!(server.log().executed().len(), 3);
//! # Ok(())
//! # }
//! ```
//!
//! # Path language
//!
//! A request that no route takes chooses its behaviour by its path:
//!
#![doc = include_str!("paths.md")]

mod action;
mod arrival;
mod behaviour;
mod dice;
mod flushed;
mod gate;
mod http1;
mod http2;
mod ledger;
mod path;
mod query;
mod service;
mod stream;
mod whole;

pub use self::{arrival::Arrival, behaviour::Behaviour, service::Upstream};
