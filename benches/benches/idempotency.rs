//! Instructions of one POST that gets an idempotency key, over a service that is ready and answers at
//! once; its limit is above the same call without the layer.

use std::hint::black_box;

use bytes::Bytes;
use gungraun::{library_benchmark, library_benchmark_group, main};
use http::{Request, Response};
use http_body_util::{Empty, Full};
use outrigger_benches::{Instant, above_bare, call, post};
use outrigger_idempotency::{IdempotencyKeyLayer, IdempotencyKeyService, KeyFormat};
use tower::{Layer, Service};

type Post = Request<Full<Bytes>>;

/// A service where it stays, and the next request: neither is moved within what is measured.
type Case<S> = (&'static mut S, Post);

fn bare() -> Case<Instant> {
    warm(Instant)
}

fn key() -> Case<IdempotencyKeyService<Instant>> {
    let layer = IdempotencyKeyLayer::new(KeyFormat::StructuredString);
    warm(layer.server_honours(true).layer(Instant))
}

/// A service that has answered before, and the next request.
fn warm<S: Service<Post>>(service: S) -> Case<S> {
    let service = Box::leak(Box::new(service));
    for _ in 0..10 {
        drop(black_box(call(service, post())));
    }
    let request = post();
    // What those calls allocated was forgotten with their requests; in a program it is freed, and the
    // next call gets it back at once.
    drop(black_box(
        (1..=64)
            .map(|n| Vec::<u8>::with_capacity(16 * n))
            .collect::<Vec<_>>(),
    ));
    (service, request)
}

#[library_benchmark(setup = bare, config = above_bare(0))]
#[bench::post()]
fn without((service, request): Case<Instant>) -> Response<Empty<Bytes>> {
    call(service, request)
}

#[library_benchmark(setup = key, config = above_bare(850))]
#[bench::post()]
fn a_new_key((service, request): Case<IdempotencyKeyService<Instant>>) -> Response<Empty<Bytes>> {
    call(service, request)
}

library_benchmark_group!(name = one_post, benchmarks = [without, a_new_key]);
main!(library_benchmark_groups = one_post);
