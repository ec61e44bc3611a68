//! A server without sockets, for a paused clock: connections are [`tokio::io::duplex`] pipes.
//!
//! [`InMemory`] takes what a [`Server`](crate::Server) takes: an
//! [`Upstream`](crate::upstream::Upstream), a [`raw::Script`](crate::raw::Script), your own
//! [`Serve`](crate::Serve). Its [`Dialer`] is a `Service<Uri>` that gives hyper I/O, so it stands
//! wherever a connector stands. Dials can be counted, refused and held back.
//!
//! ```
//! use std::time::Duration;
//! use http_body_util::Empty;
//! use hyper_util::{client::legacy::Client, rt::TokioExecutor};
//! use outrigger_testkit::{memory::InMemory, upstream::Upstream};
//! use tokio::time::Instant;
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), outrigger_testkit::BoxError> {
//! let memory = InMemory::new(Upstream::new());
//! let client = Client::builder(TokioExecutor::new())
//!     .http2_only(true)
//!     .build::<_, Empty<&'static [u8]>>(memory.dialer());
//!
//! let began = Instant::now();
//! assert_eq!(client.get("http://any.test/delay/1m".parse()?).await?.status(), 200);
//! assert_eq!(began.elapsed().as_secs(), 60);
//! assert_eq!(memory.dials(), 1);
//! # Ok(())
//! # }
//! ```

mod dialer;
mod dialing;
mod link;
mod server;

pub use self::{dialer::Dialer, dialing::Dialing, link::Link, server::InMemory};
