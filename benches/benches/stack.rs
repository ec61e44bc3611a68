//! Instructions of one call through all layers, in the order and with the defaults of the client's stack,
//! over a service that is ready and answers at once; what is counted is as for each layer alone.
//!
//! | above the bare service | wanted | reached |
//! |---|---:|---:|
//! | GET, which gets an id | 3,600 | 4,885 |
//! | POST, which gets an id and a key | 4,400 | 6,640 |
//!
//! Most of what is too much is spent moving requests, responses and futures: a third is `memcpy`.

use bytes::Bytes;
use gungraun::{library_benchmark, library_benchmark_group, main};
use http::Request;
use http_body_util::{Empty, Full};
use outrigger_benches::stack::stack;
use outrigger_benches::{Case, Instant, above_bare, call, get, post, warm};
use tower::Service;

type Stack = outrigger_benches::stack::Stack<Instant>;

type Get = Request<Empty<Bytes>>;
type Post = Request<Full<Bytes>>;

fn before_a_get() -> Case<Stack, Get> {
    warm(stack(Instant), get)
}

fn before_a_post() -> Case<Stack, Post> {
    warm(stack(Instant), post)
}

#[library_benchmark(setup = before_a_get, config = above_bare(4_950))]
#[bench::call()]
fn a_get((stack, request): Case<Stack, Get>) -> <Stack as Service<Get>>::Response {
    call(stack, request)
}

#[library_benchmark(setup = before_a_post, config = above_bare(6_700))]
#[bench::call()]
fn a_post((stack, request): Case<Stack, Post>) -> <Stack as Service<Post>>::Response {
    call(stack, request)
}

library_benchmark_group!(name = one_call, benchmarks = [a_get, a_post]);
main!(library_benchmark_groups = one_call);
