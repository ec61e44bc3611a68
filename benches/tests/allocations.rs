//! How often one call allocates, over a service that answers at once.

use std::num::NonZeroU32;

use allocation_counter::measure;
use bytes::Bytes;
use http::Request;
use http_body_util::Empty;
use outrigger_benches::wire::{self, ByExtension, ByScope, Nothing, Wire};
use outrigger_benches::{Instant, call, get, post};
use outrigger_breaker::BreakerLayer;
use outrigger_idempotency::{IdempotencyKeyLayer, KeyFormat};
use outrigger_rate_limit::{ConcurrencyLayer, Quota, RateLimitLayer};
use outrigger_request_id::RequestIdLayer;
use outrigger_retry::RetryLayer;
use outrigger_timeout::{DeadlineLayer, TimeoutLayer};
use tower::{Layer, Service};

/// The allocations of one call of a stack that has answered before.
fn of<S: Service<Request<Empty<Bytes>>>>(mut stack: S) -> u64 {
    for _ in 0..10 {
        drop(call(&mut stack, get()));
    }
    let request = get();
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

#[test]
fn a_request_id_is_one_allocation() {
    let layer = RequestIdLayer::new();
    assert_eq!(of(layer.layer(Instant)), 1);
    assert_eq!(of(layer.enabled(false).layer(Instant)), 0);
}

#[test]
fn an_idempotency_key_is_one_allocation() {
    let layer = IdempotencyKeyLayer::new(KeyFormat::StructuredString);
    let of_post = |layer: IdempotencyKeyLayer| {
        let mut service = layer.server_honours(true).layer(Instant);
        for _ in 0..10 {
            drop(call(&mut service, post()));
        }
        let request = post();
        measure(|| drop(call(&mut service, request))).count_total
    };
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
