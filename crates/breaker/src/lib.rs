//! Refuses calls to a peer that fails, and lets them through again when it is well: a circuit breaker.
//!
//! Each endpoint has a circuit, which counts over a sliding window what becomes of its calls. When too
//! many fail it opens and refuses calls at once; after a while it lets a few probes through, and where
//! they succeed, more and more of the traffic.
//!
//! ```
//! use std::time::Duration;
//! use http::{Request, Response, StatusCode};
//! use outrigger_breaker::{BreakerLayer, Open};
//! use tower::{BoxError, ServiceBuilder, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), BoxError> {
//! let ill = service_fn(async |_: Request<String>| {
//!     let response = Response::builder().status(StatusCode::SERVICE_UNAVAILABLE);
//!     Ok::<_, BoxError>(response.body(String::new())?)
//! });
//! let client = ServiceBuilder::new().layer(BreakerLayer::default()).service(ill);
//!
//! let call = || client.clone().oneshot(Request::get("http://a.example/").body(String::new()).unwrap());
//! for _ in 0..5 {
//!     assert_eq!(call().await?.status(), StatusCode::SERVICE_UNAVAILABLE);
//! }
//! let refused = call().await.unwrap_err();
//! let open = refused.downcast_ref::<Open>().expect("the sixth call is refused");
//! assert_eq!(open.circuit(), "http://a.example:80");
//!
//! tokio::time::sleep_until(open.retry_at().unwrap()).await;
//! assert_eq!(call().await?.status(), StatusCode::SERVICE_UNAVAILABLE); // a probe
//! # Ok(())
//! # }
//! ```
//!
//! | readiness | state; `clone`; `layer` | errors | cancellation |
//! |---|---|---|---|
//! | always ready: the wait for the inner service belongs to the call | a circuit per endpoint; clones share it; `layer` begins afresh | the inner service's; [`Open`] for a call that is refused | a probe's place is given back; the call counts neither way, or as slow where slow calls are held against the peer and it had been under way for so long |
//!
//! It stands inside retries, so that it sees each attempt, and outside whatever ends an attempt that
//! takes too long: a breaker within a timeout only sees that its calls are dropped. Limits stand
//! inside, too; waiting for them is not the peer's fault, and a call that waits there while its circuit
//! opens is refused when its turn comes.
//!
//! # What counts
//!
//! [`HttpClassify`] judges by the status and [`GrpcClassify`] by gRPC's, each by the
//! [`Fault`](outrigger_core::Fault) of an error; a [`Classify`] of your own may judge otherwise. Over
//! hyper's own client errors are told apart with the feature `hyper` of `outrigger-core`. An
//! attempt that its own limit ended is a failure. One that the caller's deadline ended is not, be it
//! that the head of the server's answer says so: a hasty caller cannot open everybody's circuit. (A
//! server that says so after its first message has failed: a body knows no deadline.) A panic of the
//! inner service is a failure, and passes on.
//!
//! Answers are judged by their heads, gRPC's by the status in their head, their first message or their
//! trailers, whichever comes first. Where the body then fails, or its trailers tell of a failure, the
//! success is turned into one.
//!
//! # The states
//!
//! ```text
//!            too many failures                      probes succeed
//!  closed ───────────────────▶ open ──▶ half-open ────────────────▶ ramping
//!    ▲                          ▲ after a while │ a probe fails        │  │
//!    │                          ├───────────────┘                      │  │
//!    │                          └───────── failures again ─────────────┘  │
//!    └────────────────────────── no trouble until its end ────────────────┘
//! ```
//!
//! Each opening has a number, and so has each time that probes are sent; what comes back carries the
//! number of the state that let it through and says nothing of any other. Beyond
//! [`DEFAULT_CIRCUITS`](BreakerLayer::DEFAULT_CIRCUITS) endpoints, those that remember no failure make
//! room for new ones, in constant time. An open circuit stays until nobody has asked for it for
//! [`open_at_most`](BreakerLayer::open_at_most) since it might have been probed.
//!
//! `docs/breakers-and-limits.md` in the repository says when not to use a breaker.

mod body;
mod circuit;
mod circuits;
mod clock;
mod entry;
mod error;
mod future;
mod guard;
mod handle;
mod judge;
mod key;
mod layer;
mod service;
mod snapshot;
mod stage;
mod ticket;
mod uncalled;

pub use outrigger_core::{Classify, GrpcClassify, HttpClassify, Verdict};

pub use self::body::ResponseBody;
pub use self::circuit::{Ratio, State, Trip};
pub use self::error::Open;
pub use self::future::ResponseFuture;
pub use self::handle::BreakerHandle;
pub use self::key::{ByEndpoint, ByKey, Key};
pub use self::layer::BreakerLayer;
pub use self::service::BreakerService;
pub use self::snapshot::Snapshot;
