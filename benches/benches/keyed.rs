//! Instructions to find what is kept for the endpoint of a request: 152, and 10 more for each slot of the
//! table's index that another endpoint had first. To normalise the URI first and to hash what comes of it
//! with SipHash cost 1,100.

use std::hint::black_box;
use std::sync::Arc;

use gungraun::{library_benchmark, library_benchmark_group, main};
use http::Uri;
use outrigger_benches::at_most;
use outrigger_core::{Keyed, Spare};
use tokio::time::Instant;

pub struct Kept;

impl Spare for Kept {
    fn is_spare(&self, _: Instant) -> bool {
        true
    }
}

type Case = (&'static Keyed<Kept>, &'static Uri, Instant);

/// A table that knows this endpoint and no other: which slots others have is chance, and is not measured.
fn known(uri: &'static str) -> Case {
    let (table, now) = (Keyed::new(10_000), Instant::now());
    let uri = Uri::from_static(uri);
    for _ in 0..10 {
        black_box(table.at(&uri, || now, || Kept));
    }
    (Box::leak(Box::new(table)), Box::leak(Box::new(uri)), now)
}

#[library_benchmark]
#[bench::host(
    config = at_most(155), setup = known, args = ("http://upstream.example/path?query=1")
)]
#[bench::host_and_port(
    config = at_most(155), setup = known, args = ("http://upstream.example:8080/path?query=1")
)]
#[bench::long(
    config = at_most(202), setup = known, args = ("http://service.name-space.svc.cluster.local:8080/path?query=1")
)]
#[bench::upper_case(
    config = at_most(155), setup = known, args = ("http://Upstream.Example/path?query=1")
)]
fn usual((table, uri, now): Case) -> Arc<Kept> {
    table.at(uri, || now, || Kept)
}

#[library_benchmark(config = at_most(1_235))]
#[bench::own_port(setup = known, args = ("http://upstream.example:80/path?query=1"))]
fn odd((table, uri, now): Case) -> Arc<Kept> {
    table.at(uri, || now, || Kept)
}

library_benchmark_group!(name = spellings, benchmarks = [usual, odd]);
main!(library_benchmark_groups = spellings);
