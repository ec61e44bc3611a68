//! Instructions of a circuit that is told the time: a call let through and its success counted, while it
//! is closed (60 are wanted, 53 reached); one that fails, with a look at the whole window; one that is
//! refused. What the measurement itself takes is counted with them.

use std::hint::black_box;

use gungraun::{library_benchmark, library_benchmark_group, main};
use outrigger_benches::at_most;
use outrigger_benches::told_circuit::ToldCircuit;
use outrigger_core::Verdict;

const NOW: u64 = 5_000_000_000;

/// A circuit that has counted before.
fn closed() -> &'static ToldCircuit {
    let circuit = ToldCircuit::new();
    for now in (0..NOW).step_by(100_000_000) {
        circuit.call(now, Verdict::Success);
    }
    Box::leak(Box::new(circuit))
}

fn open() -> &'static ToldCircuit {
    let circuit = closed();
    for _ in 0..60 {
        circuit.call(NOW, Verdict::Failure);
    }
    assert!(circuit.refuses(NOW));
    circuit
}

#[library_benchmark(config = at_most(53))]
#[bench::closed(setup = closed)]
fn success(circuit: &ToldCircuit) -> bool {
    circuit.call(black_box(NOW), Verdict::Success)
}

#[library_benchmark(config = at_most(430))]
#[bench::closed(setup = closed)]
fn failure(circuit: &ToldCircuit) -> bool {
    circuit.call(black_box(NOW), Verdict::Failure)
}

#[library_benchmark(config = at_most(140))]
#[bench::open(setup = open)]
fn refusal(circuit: &ToldCircuit) -> bool {
    circuit.refuses(black_box(NOW))
}

library_benchmark_group!(
    name = told_the_time,
    benchmarks = [success, failure, refusal]
);
main!(library_benchmark_groups = told_the_time);
