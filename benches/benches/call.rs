//! What it costs that the layers of one call know of each other: instructions of one call through an
//! outermost layer and a transport that reports the dispatch to it.

use std::hint::black_box;

use bytes::Bytes;
use gungraun::{library_benchmark, library_benchmark_group, main};
use http::Request;
use http_body_util::Empty;
use outrigger_benches::wire::{ByExtension, ByScope, Nothing, Outer, Transport, Wire, stack};
use outrigger_benches::{call, get};

type Case<W> = (Outer<W, Transport<W>>, Request<Empty<Bytes>>);

/// A stack that has answered before, and the next request.
fn warm<W: Wire>() -> Case<W>
where
    W::Held: Unpin,
{
    let mut stack = stack::<W>();
    for _ in 0..10 {
        black_box(call(&mut stack, get()));
    }
    (stack, get())
}

macro_rules! variant {
    ($name:ident, $wire:ty) => {
        #[library_benchmark(setup = warm::<$wire>)]
        #[bench::one_call()]
        fn $name((mut stack, request): Case<$wire>) -> bool {
            let (_, dispatched) = black_box(call(&mut stack, request));
            assert!(dispatched);
            dispatched
        }
    };
}

variant!(nothing, Nothing);
variant!(scope, ByScope);
variant!(extension, ByExtension);

library_benchmark_group!(
    name = how_layers_speak,
    benchmarks = [nothing, scope, extension]
);
main!(library_benchmark_groups = how_layers_speak);
