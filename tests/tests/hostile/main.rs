//! The default stack against servers that do what real ones have been seen to do: what they execute,
//! and what a caller is told.

#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod early;
mod idle;
mod refusing;
mod silent;

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::Full;
use outrigger::Layers;
use outrigger::connector::{Connector, HttpVersion};
use outrigger::retry::{Exponential, RetryLayer};
use outrigger::timeout::{DeadlineLayer, TimeoutLayer};

type Sent = outrigger::SentBody<Full<Bytes>>;

fn h2c() -> Connector<Sent> {
    Connector::new().http(HttpVersion::H2c)
}

/// The default layers, with a total and an attempt limit, and pauses that a test does not notice.
fn layers(total: Duration, attempt: Duration) -> Layers {
    let pause = Duration::from_millis(1);
    let mut layers = Layers::default();
    layers.deadline = DeadlineLayer::new(total);
    layers.timeout = TimeoutLayer::new(attempt);
    layers.retry = RetryLayer::new().pauses(Exponential::new(pause, pause));
    layers
}

fn request(method: Method, url: impl AsRef<str>, body: impl Into<Bytes>) -> Request<Full<Bytes>> {
    let request = Request::builder().method(method).uri(url.as_ref());
    request.body(Full::new(body.into())).unwrap()
}
