//! What jitter is for: many clients that want to write the same row, as in M. Brooker's "Exponential
//! Backoff And Jitter" (2015). `cargo test -p outrigger-retry contention -- --nocapture` prints the
//! table.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use fastrand::Rng;
use outrigger_retry::{Exponential, Jitter};

use crate::support::millis;

const RUNS: u32 = 100;

/// One client reads the row's version and writes with it: the write succeeds when nobody has written
/// in between; otherwise the client pauses and begins again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Read,
    Write { version: u64 },
}

/// How many writes are tried until all clients have written, and how long that takes.
fn contend(clients: usize, jitter: Jitter, dice: &mut Rng) -> (u64, Duration) {
    let schedule = Exponential::new(millis(5), millis(2_000)).jitter(jitter);
    let mut failures = vec![0; clients];
    let (mut version, mut writes, mut now) = (0, 0, Duration::ZERO);
    let mut events: BinaryHeap<_> = (0..clients)
        .map(|client| Reverse((network(dice), client, Step::Read)))
        .collect();
    while let Some(Reverse((at, client, step))) = events.pop() {
        now = at;
        let (next, step) = match step {
            Step::Read => (now + network(dice), Step::Write { version }),
            Step::Write { version: read } => {
                writes += 1;
                if read == version {
                    version += 1;
                    continue;
                }
                let pause = schedule.pause(failures[client], dice.u64(..));
                failures[client] += 1;
                (now + pause + network(dice), Step::Read)
            }
        };
        events.push(Reverse((next, client, step)));
    }
    (writes, now)
}

/// The way there or back: 8 to 12 ms.
fn network(dice: &mut Rng) -> Duration {
    Duration::from_micros(dice.u64(8_000..12_000))
}

/// The means of many runs.
fn mean(clients: usize, jitter: Jitter) -> (f64, f64) {
    let mut dice = Rng::with_seed(7);
    let mut sum = (0.0, 0.0);
    for _ in 0..RUNS {
        let (writes, time) = contend(clients, jitter, &mut dice);
        sum.0 += writes as f64 / f64::from(RUNS);
        sum.1 += time.as_secs_f64() / f64::from(RUNS);
    }
    sum
}

#[test]
fn with_full_jitter_a_hundred_clients_make_half_the_calls_and_finish_five_times_sooner() {
    println!("clients   calls: plain   full jitter   seconds: plain   full jitter");
    for clients in [1, 10, 30, 100] {
        let (plain, jittered) = (mean(clients, Jitter::None), mean(clients, Jitter::Full));
        println!(
            "{clients:7} {:14.0} {:13.0} {:16.1} {:13.1}",
            plain.0, jittered.0, plain.1, jittered.1
        );
        if clients == 100 {
            assert!(jittered.0 <= 0.5 * plain.0);
            assert!(jittered.1 <= 0.2 * plain.1);
        }
    }
}
