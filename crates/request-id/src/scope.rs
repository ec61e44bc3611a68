use std::future::Future;

use outrigger_core::inbound::{self, Within};

/// Carries the inbound request's id and deadline into a spawned task.
///
/// They are captured now, when this is called, not when the future is first polled.
///
/// ```
/// use http::{Request, Response};
/// use outrigger_request_id::{InboundLayer, RequestId, in_current_scope};
/// use tower::{BoxError, ServiceBuilder, ServiceExt, service_fn};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), BoxError> {
/// let handler = service_fn(|_: Request<()>| async {
///     let seen = async { outrigger_core::inbound::request_id() };
///     let id = tokio::spawn(in_current_scope(seen)).await?;
///     Ok::<_, BoxError>(Response::new(id))
/// });
/// let request = Request::builder().header("x-request-id", "order-17").body(())?;
/// let response = ServiceBuilder::new().layer(InboundLayer::new()).service(handler).oneshot(request).await?;
/// assert_eq!(response.into_body(), Some(RequestId::parse("order-17")?));
/// # Ok(())
/// # }
/// ```
pub fn in_current_scope<F: Future>(future: F) -> Within<F> {
    inbound::within(inbound::current(), future)
}
