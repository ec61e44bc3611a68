//! One idempotency key per logical call, so that a server can tell a repeated POST from a second one.
//!
//! Below this layer every request with an unsafe method carries a key: the caller's own header, else
//! the caller's [`IdempotencyKey`] in the request's extensions, else a new random one. Made outside
//! the retries, it is the same for each attempt of a call and another for the next call.
//!
//! ```
//! use http::{Method, Request, Response};
//! use outrigger_idempotency::{IDEMPOTENCY_KEY, IdempotencyKey, IdempotencyKeyLayer, KeyFormat};
//! use tower::{BoxError, ServiceBuilder, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), BoxError> {
//! let server = service_fn(|request: Request<()>| async move {
//!     let key = request.headers().get(IDEMPOTENCY_KEY).cloned();
//!     Ok::<_, BoxError>(Response::new(key))
//! });
//! let client = ServiceBuilder::new()
//!     .layer(IdempotencyKeyLayer::new(KeyFormat::StructuredString))
//!     .service(server);
//!
//! // A business operation has a name already: it is the best key.
//! let mut request = Request::post("http://bank.example/transfers").body(())?;
//! request.extensions_mut().insert(IdempotencyKey::parse("transfer-17")?);
//! let sent = client.clone().oneshot(request).await?.into_body();
//! assert_eq!(sent.unwrap(), r#""transfer-17""#);
//!
//! // Without one, each call gets a new key: a quoted UUID.
//! let request = Request::post("http://bank.example/transfers").body(())?;
//! let sent = client.clone().oneshot(request).await?.into_body();
//! assert_eq!(sent.unwrap().len(), 38);
//!
//! // A safe or idempotent method needs none.
//! let sent = client.oneshot(Request::get("http://bank.example/").body(())?).await?.into_body();
//! assert_eq!(sent, None);
//! # Ok(())
//! # }
//! ```
//!
//! | readiness | state; `clone`; `layer` | errors | cancellation |
//! |---|---|---|---|
//! | the inner service's, passed through | none but the settings, which clones share | none of its own | nothing to give back |
//!
//! It stands outside whatever sends a request more than once: redirects and retries. To send a key
//! is one thing, a server that honours it another: only [`server_honours`] lets a retry layer below
//! repeat a call that may have been executed. It says so in the current
//! [`Call`](outrigger_core::call), which a `Buffer` or a spawned task between the two layers cuts off;
//! nothing is repeated then.
//!
//! A key must not follow a redirect to another origin: a client that follows redirects drops the
//! header named by [`header_name`] there, and says so in the Call
//! ([`drop_key`](outrigger_core::call::Call::drop_key)), so that nothing is repeated without it.
//!
//! [`server_honours`]: IdempotencyKeyLayer::server_honours
//! [`header_name`]: IdempotencyKeyLayer::header_name

mod format;
mod future;
mod honoured;
mod key;
mod keys;
mod layer;
mod service;
mod uuid;

pub use self::format::KeyFormat;
pub use self::future::ResponseFuture;
pub use self::key::{IdempotencyKey, InvalidIdempotencyKey};
pub use self::layer::{IDEMPOTENCY_KEY, IdempotencyKeyLayer};
pub use self::service::IdempotencyKeyService;
