//! One request id per logical call, carried from the inbound request to every outbound one.
//!
//! [`RequestIdLayer`] sees to it that each outbound request has exactly one valid id: the one that
//! stands in its header already, else the [`RequestId`] in its extensions, else the inbound
//! request's, else a new UUID. [`InboundLayer`] wraps a server, axum or tonic, takes the id and the
//! deadline of each inbound request, and keeps them within reach while the handler runs.
//!
//! ```
//! use http::{Request, Response};
//! use outrigger_request_id::{InboundLayer, RequestId, RequestIdLayer, X_REQUEST_ID};
//! use tower::{BoxError, ServiceBuilder, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), BoxError> {
//! // An upstream that answers with the id that reached it, and a client for it.
//! let upstream = service_fn(|request: Request<()>| async move {
//!     Ok::<_, BoxError>(Response::new(request.headers()[X_REQUEST_ID].clone()))
//! });
//! let client = ServiceBuilder::new().layer(RequestIdLayer::new()).service(upstream);
//!
//! // A server whose handler calls the upstream, and thinks of no id.
//! let server = ServiceBuilder::new().layer(InboundLayer::new()).service_fn({
//!     let client = client.clone();
//!     move |_: Request<()>| client.clone().oneshot(Request::new(()))
//! });
//! let inbound = Request::builder().header(X_REQUEST_ID, "order-17").body(())?;
//! assert_eq!(server.clone().oneshot(inbound).await?.into_body(), "order-17");
//!
//! // A forged id goes no further: it is replaced by a new one.
//! let forged = Request::builder().header(X_REQUEST_ID, "17 level=error").body(())?;
//! let sent = server.oneshot(forged).await?.into_body();
//! assert_eq!(RequestId::try_from(sent)?.as_str().len(), 36);
//!
//! // The caller's own id wins over a new one.
//! let mut own = Request::new(());
//! own.extensions_mut().insert(RequestId::parse("nightly-import-3")?);
//! assert_eq!(client.oneshot(own).await?.into_body(), "nightly-import-3");
//! # Ok(())
//! # }
//! ```
//!
//! | readiness | state; `clone`; `layer` | errors | cancellation |
//! |---|---|---|---|
//! | the inner service's, passed through | none but the settings, which clones share | none of its own | a dropped handler leaves no scope behind |
//!
//! The outermost layer of a stack: outside the retries, so that every attempt carries the same id,
//! and outside a `Buffer` or tonic's `Channel`, which call their inner service from a task that knows
//! of no inbound request. A second one further in leaves the header alone. Ids are valid when they
//! match `[A-Za-z0-9._:/+=-]{1,128}`; of several values the first valid one stays, alone. The value
//! is marked sensitive: HPACK never indexes it (RFC 7541 §7.1), and its `Debug` does not show it.

mod future;
mod generator;
mod ids;
mod layer;
mod scope;
mod server;
mod service;
mod uuid;

pub use outrigger_core::RequestId;

pub use self::future::RequestIdFuture;
pub use self::generator::Generator;
pub use self::ids::{X_CORRELATION_ID, X_REQUEST_ID};
pub use self::layer::RequestIdLayer;
pub use self::scope::in_current_scope;
pub use self::server::{InboundFuture, InboundLayer, InboundService};
pub use self::service::RequestIdService;
