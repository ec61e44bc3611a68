//! Instructions of a token bucket that is told the time, ours and governor's.

use std::hint::black_box;

use gungraun::{library_benchmark, library_benchmark_group, main};

use outrigger_benches::at_most;
use outrigger_benches::kernel::TokenBucket;

use self::peer::Governor;

#[path = "limits/peer.rs"]
mod peer;

/// A bucket that was asked before, by this thread.
fn bucket() -> TokenBucket {
    let bucket = TokenBucket::full(peer::PER_SECOND, peer::BURST);
    for now in 0..10 {
        let _ = black_box(bucket.take(now * 1_000_000));
    }
    bucket
}

fn governor() -> Governor {
    let governor = Governor::new();
    for now in 0..10 {
        black_box(governor.take(now * 1_000_000));
    }
    governor
}

const NOW: u64 = 1_000_000_000;

#[library_benchmark(setup = bucket, config = at_most(60))]
#[bench::one()]
fn take(bucket: TokenBucket) -> (bool, TokenBucket) {
    (bucket.take(black_box(NOW)), bucket)
}

#[library_benchmark(setup = bucket, config = at_most(60))]
#[bench::one()]
fn look(bucket: TokenBucket) -> (bool, TokenBucket) {
    (bucket.is_free(black_box(NOW)), bucket)
}

#[library_benchmark(setup = governor)]
#[bench::one()]
fn governor_take(governor: Governor) -> (bool, Governor) {
    (governor.take(black_box(NOW)), governor)
}

library_benchmark_group!(name = one_token, benchmarks = [take, look, governor_take]);
main!(library_benchmark_groups = one_token);
