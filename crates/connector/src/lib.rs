//! An HTTP/2 and HTTP/1.1 connector with its own pool, as a `tower` service over hyper.
//!
//! A cold burst of calls opens one connection; another follows only when the open ones carry as many
//! streams as the server allows. A call that finds no place waits in a bounded queue that is served
//! in order, and a request that a closing connection never took goes to the next one.
//!
//! ```
//! use bytes::Bytes;
//! use http::Request;
//! use http_body_util::{BodyExt, Full};
//! use outrigger_connector::{Connector, HttpVersion};
//! use outrigger_testkit::Server;
//! use outrigger_testkit::raw::Script;
//! use tower::ServiceExt;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let server = Server::bind(Script::new(|mut peer| async move {
//! #     peer.settings([]).await?;
//! #     let request = peer.request().await?;
//! #     peer.answer(&request, 200, "hello").await?;
//! #     peer.silence().await
//! # }))
//! # .await?;
//! let connector = Connector::new().http(HttpVersion::H2c);
//! let request = Request::get(server.url("/")).body(Full::<Bytes>::default())?;
//! let response = connector.clone().oneshot(request).await?;
//! assert_eq!(response.into_body().collect().await?.to_bytes(), "hello");
//! assert_eq!(connector.snapshot().connections(), 1);
//! # Ok(())
//! # }
//! ```
//!
//! | readiness | state; clone; setter | errors | cancellation |
//! |---|---|---|---|
//! | always ready | the pool; shared; begins afresh | [`ConnectorError`], with a [`Fault`] | the place is given back, the stream reset; a connect under way goes on |
//!
//! `docs/connecting.md` in the repository tells of its pool, versions of HTTP, TLS, addresses, proxies and
//! errors.
//!
//! It stands innermost. The layers above learn from its errors whether a request was sent or
//! processed, and from the current [`call`] when it was handed to a connection.
//!
//! [`Fault`]: outrigger_core::Fault
//! [`call`]: outrigger_core::call

mod any_body;
mod bad_proxy;
mod body;
mod classify;
mod connect;
mod connector;
mod dial;
mod error;
mod exchange;
mod frames;
mod future;
mod halves;
mod head;
mod http_version;
mod keeper;
mod kernel;
mod link;
mod permit;
mod proxies;
mod proxy;
mod race;
mod reports;
mod request_body;
mod resolver;
mod settings;
mod shared;
mod snapshot;
mod socket;
mod tcp_dialer;
#[cfg_attr(not(feature = "tls"), path = "no_tls.rs")]
mod tls;
mod transport;
#[cfg(unix)]
mod unix_dialer;
mod waiting;
mod watched;

pub use self::any_body::AnyBody;
pub use self::bad_proxy::BadProxy;
pub use self::body::ConnBody;
pub use self::connector::Connector;
pub use self::dial::Dial;
pub use self::error::{ConnectorError, ErrorKind};
pub use self::future::ResponseFuture;
pub use self::http_version::HttpVersion;
pub use self::proxies::Proxies;
pub use self::snapshot::{EndpointSnapshot, Snapshot};
pub use self::tcp_dialer::TcpDialer;
pub use self::transport::Transport;
#[cfg(unix)]
pub use self::unix_dialer::UnixDialer;

#[cfg(doctest)]
#[doc = include_str!("../../../docs/connecting.md")]
struct Guide;
