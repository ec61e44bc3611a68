//! The layers from outside: which id goes out, how far an inbound one reaches, and tower's contract.

#![expect(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod attempts;
mod contract;
mod inbound;
mod outbound;
mod reach;
mod server;
mod wire;

use std::future::{Ready, ready};

use http::{HeaderValue, Request, Response};
use outrigger_request_id::{RequestId, X_REQUEST_ID};
use tower::BoxError;

/// What of a request reached an upstream: all values of its header.
type Seen = Vec<HeaderValue>;

/// An upstream that answers with what reached it.
fn seen<B>(request: Request<B>) -> Ready<Result<Response<Seen>, BoxError>> {
    let values = request.headers().get_all(X_REQUEST_ID).iter();
    ready(Ok(Response::new(values.cloned().collect())))
}

fn id(text: &str) -> RequestId {
    RequestId::parse(text).unwrap()
}

/// A request with these values of the header.
fn with_header<V>(values: impl IntoIterator<Item = V>) -> Request<()>
where
    HeaderValue: TryFrom<V, Error: Into<http::Error>>,
{
    let request = Request::builder();
    let request = values.into_iter().fold(request, |request, value| {
        request.header(X_REQUEST_ID, value)
    });
    request.body(()).unwrap()
}

/// Whether these are the values of a header with one new id.
fn is_new(seen: &Seen) -> bool {
    let [value] = &**seen else { return false };
    uuid::Uuid::try_parse_ascii(value.as_bytes()).is_ok()
}
