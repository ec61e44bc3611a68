//! How often one call allocates, over a service that answers at once.

use std::num::NonZeroU32;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use allocation_counter::measure;
use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use http_body_util::{Empty, Full};
use outrigger_benches::stack::stack;
use outrigger_benches::wire::{self, ByExtension, ByScope, Nothing, Wire};
use outrigger_benches::{Instant, call, get, post};
use outrigger_breaker::BreakerLayer;
use outrigger_idempotency::{IdempotencyKeyLayer, KeyFormat};
use outrigger_rate_limit::{ConcurrencyLayer, Quota, RateLimitLayer};
use outrigger_request_id::RequestIdLayer;
use outrigger_retry::RetryLayer;
use outrigger_timeout::{DeadlineLayer, TimeoutLayer};
use tower::{BoxError, Layer, Service, service_fn};

/// The allocations of one GET through a stack that has answered before.
fn of<S: Service<Request<Empty<Bytes>>>>(stack: S) -> u64 {
    of_calls(stack, get)
}

fn of_calls<S: Service<Request<B>>, B>(mut stack: S, request: fn() -> Request<B>) -> u64 {
    for _ in 0..10 {
        drop(call(&mut stack, request()));
    }
    let request = request();
    measure(|| drop(call(&mut stack, request))).count_total
}

fn of_wire<W: Wire<Held: Unpin>>() -> u64 {
    of(wire::stack::<W>())
}

#[test]
fn layers_speak_through_the_scope_without_allocating() {
    assert_eq!(of_wire::<Nothing>(), 0);
    assert_eq!(of_wire::<ByScope>(), 0);
    assert_eq!(of_wire::<ByExtension>(), 4);
}

#[test]
fn a_breaker_allocates_nothing_while_it_is_closed() {
    assert_eq!(of(BreakerLayer::default().layer(Instant)), 0);
    assert_eq!(of(BreakerLayer::default().shared().layer(Instant)), 0);
    assert_eq!(of(BreakerLayer::default().enabled(false).layer(Instant)), 0);
}

/// Answers with a body, which the layer has to follow to its end.
#[test]
fn nor_does_it_for_an_answer_with_a_body() {
    let full = service_fn(async |_: Request<Empty<Bytes>>| {
        Ok::<_, BoxError>(Response::new(Full::new(Bytes::from_static(b"body"))))
    });
    let mut service = BreakerLayer::default().layer(full);
    let mut read = |request| {
        let body = call(&mut service, request).into_body();
        let frame = pin!(body).poll_frame(&mut Context::from_waker(Waker::noop()));
        assert!(matches!(frame, Poll::Ready(Some(Ok(_)))));
    };
    (0..10).for_each(|_| read(get()));
    let request = get();
    assert_eq!(measure(|| read(request)).count_total, 0);
}

#[test]
fn all_layers_allocate_twice_for_a_get_and_four_times_for_a_post() {
    assert_eq!((of(stack(Instant)), of_calls(stack(Instant), post)), (2, 4));
}

#[test]
fn a_request_id_is_one_allocation() {
    let layer = RequestIdLayer::new();
    assert_eq!(of(layer.layer(Instant)), 1);
    assert_eq!(of(layer.enabled(false).layer(Instant)), 0);
}

#[test]
fn an_idempotency_key_is_one_allocation() {
    let layer = IdempotencyKeyLayer::new(KeyFormat::StructuredString);
    let of_post =
        |layer: IdempotencyKeyLayer| of_calls(layer.server_honours(true).layer(Instant), post);
    assert_eq!(of_post(layer.clone()), 1);
    assert_eq!(of_post(layer.enabled(false)), 0);
}

#[test]
fn a_timeout_that_need_not_wait_allocates_nothing() {
    assert_eq!(of(TimeoutLayer::default().layer(Instant)), 0);
    assert_eq!(of(DeadlineLayer::default().layer(Instant)), 0);
}

#[test]
fn a_retry_that_is_not_needed_allocates_once_and_one_that_is_not_wanted_never() {
    assert_eq!(of(RetryLayer::new().layer(Instant)), 1);
    assert_eq!(of(RetryLayer::new().attempts(1).layer(Instant)), 0);
    assert_eq!(of(RetryLayer::new().enabled(false).layer(Instant)), 0);
}

#[test]
fn a_limit_that_is_not_reached_allocates_nothing() {
    let plenty = NonZeroU32::new(1_000).unwrap();
    let rate = RateLimitLayer::new(Quota::per_second(plenty).burst(plenty));
    assert_eq!(of(rate.layer(Instant)), 0);
    assert_eq!(of(rate.clone().shared().layer(Instant)), 0);
    assert_eq!(of(rate.enabled(false).layer(Instant)), 0);
    let concurrency = ConcurrencyLayer::new(plenty);
    assert_eq!(of(concurrency.layer(Instant)), 0);
    assert_eq!(of(concurrency.enabled(false).layer(Instant)), 0);
}
