//! Instructions of one POST that gets an idempotency key, over a service that is ready and answers at
//! once; its limit is above the same call without the layer.

use std::hint::black_box;

use bytes::Bytes;
use gungraun::{
    Callgrind, EventKind, LibraryBenchmarkConfig, library_benchmark, library_benchmark_group, main,
};
use http::{Request, Response};
use http_body_util::{Empty, Full};
use outrigger_benches::{Instant, call, post};
use outrigger_idempotency::{IdempotencyKeyLayer, IdempotencyKeyService, KeyFormat};
use tower::{Layer, Service};

/// What the call costs without the layer.
const BARE: u64 = 87;

type Post = Request<Full<Bytes>>;

/// What a measured call leaves behind, to be dropped unmeasured.
type Answered<S> = (S, Response<Empty<Bytes>>);

fn bare() -> (Instant, Post) {
    warm(Instant)
}

fn key() -> (IdempotencyKeyService<Instant>, Post) {
    let layer = IdempotencyKeyLayer::new(KeyFormat::StructuredString);
    warm(layer.server_honours(true).layer(Instant))
}

/// A service that has answered before, and the next request.
fn warm<S: Service<Post>>(mut service: S) -> (S, Post) {
    for _ in 0..10 {
        drop(black_box(call(&mut service, post())));
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

/// So many instructions above the bare service, and no more.
fn at_most(instructions: u64) -> LibraryBenchmarkConfig {
    let mut callgrind = Callgrind::default();
    callgrind.hard_limits([(EventKind::Ir, BARE + instructions)]);
    let mut config = LibraryBenchmarkConfig::default();
    config.tool(callgrind);
    config
}

#[library_benchmark(setup = bare, config = at_most(0))]
#[bench::post()]
fn without((mut service, request): (Instant, Post)) -> Answered<Instant> {
    let response = call(&mut service, request);
    (service, response)
}

#[library_benchmark(setup = key, config = at_most(850))]
#[bench::post()]
fn a_new_key(
    (mut service, request): (IdempotencyKeyService<Instant>, Post),
) -> Answered<IdempotencyKeyService<Instant>> {
    let response = call(&mut service, request);
    (service, response)
}

library_benchmark_group!(name = one_post, benchmarks = [without, a_new_key]);
main!(library_benchmark_groups = one_post);
