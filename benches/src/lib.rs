//! What every measurement shares: a service that answers at once, the request of the cost tables,
//! and one call of a stack, polled to its end.

#![forbid(unsafe_code)]

use std::future::{Ready, ready};
use std::hint::black_box;
use std::mem;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::header::{ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, HeaderValue, USER_AGENT};
use http::{Method, Request, Response, Uri};
use http_body_util::{Empty, Full};
use tower::Service;

#[allow(
    dead_code,
    unused_imports,
    reason = "of the kernel a measurement needs a part"
)]
#[path = "../../crates/breaker/src/circuit/mod.rs"]
mod circuit;
pub mod kernel;
mod limit;
pub mod stack;
#[cfg(feature = "transport")]
#[cfg_attr(not(feature = "tls"), path = "no_tls.rs")]
mod tls;
pub mod told_circuit;
#[cfg(feature = "transport")]
pub mod transports;
#[cfg(feature = "transport")]
pub mod upstream;
pub mod wire;

// The token bucket is private to its crate: it is compiled in from its source.
#[allow(dead_code)]
#[path = "../../crates/rate-limit/src/bucket.rs"]
mod bucket;
#[allow(dead_code)]
#[path = "../../crates/rate-limit/src/quota.rs"]
mod quota;
#[allow(unused_imports)]
#[path = "../../crates/rate-limit/src/sync.rs"]
mod sync;

pub use self::limit::{above_bare, at_most};
use self::quota::Quota;

/// A service that is ready and answers at once, whatever the request's body.
#[derive(Clone, Copy, Debug)]
pub struct Instant;

impl<B> Service<Request<B>> for Instant {
    type Response = Response<Empty<Bytes>>;
    type Error = tower::BoxError;
    type Future = Ready<Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        // A transport reads the request: without that, a layer's copy of it would be optimised away.
        black_box(&request);
        // To free it costs several times what a layer does, and is nobody's doing here.
        mem::forget(request);
        ready(Ok(black_box(Response::new(Empty::new()))))
    }
}

/// A GET with four headers.
pub fn get() -> Request<Empty<Bytes>> {
    with_headers(Method::GET, Empty::new())
}

/// A POST with four headers and a body of one frame.
pub fn post() -> Request<Full<Bytes>> {
    with_headers(Method::POST, Full::from("a body of one frame"))
}

fn with_headers<B>(method: Method, body: B) -> Request<B> {
    Request::builder()
        .method(method)
        .uri(Uri::from_static("http://upstream.example/path?query=1"))
        .header(ACCEPT, HeaderValue::from_static("application/json"))
        .header(USER_AGENT, HeaderValue::from_static("bench"))
        .header(ACCEPT_ENCODING, HeaderValue::from_static("gzip"))
        .header(AUTHORIZATION, HeaderValue::from_static("Bearer token"))
        .body(body)
        .expect("a valid request")
}

/// What one call of [`Instant`] costs without any layer, in instructions.
const BARE: u64 = 125;

/// A service where it stays, and the next request: neither is moved within what is measured.
pub type Case<S, R> = (&'static mut S, R);

/// A service that has answered before, and the next request.
pub fn warm<S, B>(service: S, request: fn() -> Request<B>) -> Case<S, Request<B>>
where
    S: Service<Request<B>>,
{
    let service = Box::leak(Box::new(service));
    for _ in 0..10 {
        drop(black_box(call(service, request())));
    }
    let request = request();
    free_a_little_of_everything();
    (service, request)
}

/// What those calls allocated was forgotten with their requests; in a program it is freed, and the next
/// call gets it back at once.
fn free_a_little_of_everything() {
    let sizes = (1..=64).map(|n| 16 * n);
    drop(black_box(
        sizes.map(Vec::<u8>::with_capacity).collect::<Vec<_>>(),
    ));
}

/// Makes one call and polls it once: over [`Instant`] that is to its end.
#[inline(never)]
pub fn call<S, B>(service: &mut S, request: Request<B>) -> S::Response
where
    S: Service<Request<B>>,
{
    let mut cx = Context::from_waker(Waker::noop());
    let Poll::Ready(Ok(())) = service.poll_ready(&mut cx) else {
        unreachable!("the service is ready")
    };
    let future = pin!(service.call(request));
    let Poll::Ready(Ok(response)) = future.poll(&mut cx) else {
        unreachable!("the service answers at once")
    };
    response
}
