use outrigger_core::BoxError;
use outrigger_request_id::{RequestIdLayer, RequestIdService};
use outrigger_timeout::{DeadlineLayer, DeadlineService, TimeoutLayer, TimeoutService};
use tower::ServiceBuilder;
use tower::util::MapErr;

use crate::Error;

/// The default stack over a connector `C`, written from the outside in.
///
/// It grows with each layer that joins the default stack: name it as `Stack<C>`, not by its parts.
pub type Stack<C> =
    MapErr<RequestIdService<DeadlineService<TimeoutService<C>>>, fn(BoxError) -> Error>;

/// Stands the default stack on a connector: this is the whole of it, outermost first.
///
/// - [`Error`]: whatever fails below is an [`Error`] here.
/// - [`RequestIdLayer`]: one id per logical call, `x-request-id`.
/// - [`DeadlineLayer`]: the caller's patience, 30 s for waiting and attempts up to the head.
/// - [`TimeoutLayer`]: 10 s for an attempt up to its head, 30 s for a pause within a body.
///
/// A call changes its limits with [`Timeouts`] in the request's extensions, and its id with a
/// [`RequestId`] there. For other layers or another order write a [`ServiceBuilder`] of your own: it
/// is no longer than this function.
///
/// [`Timeouts`]: outrigger_timeout::Timeouts
/// [`RequestId`]: outrigger_core::RequestId
pub fn stack<C>(connector: C) -> Stack<C> {
    ServiceBuilder::new()
        .map_err(Error::from as fn(BoxError) -> Error)
        .layer(RequestIdLayer::default())
        .layer(DeadlineLayer::default())
        .layer(TimeoutLayer::default())
        .service(connector)
}
