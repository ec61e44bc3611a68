//! A scripted service without sockets: what RESPX is to httpx.
//!
//! [`Mock`] is a `Service<http::Request<B>>` with routes. A [`Route`](crate::Route) says which requests it takes,
//! what they get in turn and, if the test cares, how many must come; it is also the handle that
//! counts them. A request that no route takes fails with [`Unmatched`].
//!
//! ```
//! use outrigger_testkit::{Reply, mock::Mock};
//! use tower::ServiceExt;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), outrigger_testkit::BoxError> {
//! let mock = Mock::new();
//! let orders = mock.post("/orders").times(1, Reply::status(503)).always(Reply::status(201).body("{}"));
//! let health = mock.get("/health").expect(0);
//!
//! for expected in [503, 201, 201] {
//!     let request = http::Request::post("http://shop.test/orders").body("tea".to_owned())?;
//!     assert_eq!(mock.clone().oneshot(request).await?.status(), expected);
//! }
//!
//! assert_eq!(orders.calls(), 3);
//! assert_eq!(mock.log().entries()[0].body().unwrap(), "tea");
//! mock.assert_satisfied();
//! # Ok(())
//! # }
//! ```

mod error;
mod outcome;
mod received;
mod service;

pub use self::{error::Unmatched, outcome::Outcome, received::Received, service::Mock};
