//! The layer among others: which key goes out, and what the layers below are told.

mod contract;
mod honoured;
mod sent;

use std::convert::Infallible;
use std::future::{Ready, ready};

use http::{HeaderValue, Method, Request, Response, Uri};
use outrigger_idempotency::{IDEMPOTENCY_KEY, IdempotencyKeyLayer, KeyFormat};

/// A layer in the format of the draft.
fn layer() -> IdempotencyKeyLayer {
    IdempotencyKeyLayer::new(KeyFormat::StructuredString)
}

fn request(method: Method) -> Request<()> {
    let mut request = Request::new(());
    *request.method_mut() = method;
    *request.uri_mut() = Uri::from_static("http://bank.example/transfers");
    request
}

/// A server that answers with the values it received under the draft's header.
fn echo(request: Request<()>) -> Ready<Result<Response<Vec<HeaderValue>>, Infallible>> {
    let values = request.headers().get_all(IDEMPOTENCY_KEY);
    ready(Ok(Response::new(values.into_iter().cloned().collect())))
}
