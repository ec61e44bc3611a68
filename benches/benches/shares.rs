//! How evenly threads share a token bucket, also more threads than there are cores: the least that one of
//! them takes for its time on a core, of what all take on the average. And how much of its pace one keeps
//! that takes a token now and then, among others that do nothing else.
//!
//! On two cores (AMD EPYC 9004), in rounds of a second: the least of 2, 4 and 8 threads takes 0.88 to 0.99.
//! One with 50 steps of other work between two tokens keeps 0.38 to 0.96 of its pace, with 200 steps 0.70 to
//! 0.99. So nobody starves.
//!
//! Times are no sure thing on a machine that does other things: it is no part of what gates a change.

#![allow(
    clippy::disallowed_methods,
    reason = "threads are timed by the real clock"
)]

use std::fs;
use std::hint::black_box;
use std::num::NonZeroU32;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use outrigger_benches::kernel::TokenBucket;

const ROUNDS: usize = 5;
const LASTS: Duration = Duration::from_secs(1);
/// Tokens between two looks at the clock.
const SPELL: u64 = 256;

/// Nothing else in its cache lines.
#[repr(align(128))]
struct Alone<T>(T);

/// Tokens for each nanosecond on a core, of each thread: one for each number of steps of other work that
/// it does after a token. Nobody is refused: the bucket holds more than a round takes.
fn round(steps: &[u32]) -> Vec<f64> {
    let plenty = NonZeroU32::new(1_000_000_000).unwrap();
    let bucket = &Alone(TokenBucket::full(plenty, NonZeroU32::MAX));
    let over = &Alone(AtomicBool::new(false));
    let start = &Barrier::new(steps.len());
    let run = |steps| {
        start.wait();
        let (began, end, mut taken) = (on_a_core(), Instant::now() + LASTS, 0);
        while !over.0.load(Ordering::Relaxed) {
            for _ in 0..SPELL {
                assert!(bucket.0.take(black_box(0)));
                work(steps);
            }
            taken += SPELL;
            if Instant::now() >= end {
                over.0.store(true, Ordering::Relaxed);
            }
        }
        taken as f64 / (on_a_core() - began) as f64
    };
    thread::scope(|scope| {
        let threads: Vec<_> = steps
            .iter()
            .map(|steps| scope.spawn(move || run(*steps)))
            .collect();
        let paces = threads.into_iter().map(|thread| thread.join().unwrap());
        paces.collect()
    })
}

/// How long this thread has run, in nanoseconds.
fn on_a_core() -> u64 {
    let told = fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    told.split(' ').next().unwrap().parse().unwrap()
}

/// Other work, which shares nothing: a step takes about half a nanosecond.
fn work(steps: u32) {
    let mut sum = black_box(1_u64);
    for _ in 0..steps {
        sum = sum.wrapping_mul(3) ^ (sum >> 7);
    }
    black_box(sum);
}

fn least(numbers: impl Iterator<Item = f64>) -> f64 {
    numbers.fold(f64::INFINITY, f64::min)
}

fn main() {
    for threads in [2, 4, 8] {
        for steps in [0, 20, 50] {
            let shares = (0..ROUNDS).map(|_| {
                let paces = round(&vec![steps; threads]);
                let average = paces.iter().sum::<f64>() / threads as f64;
                least(paces.into_iter()) / average
            });
            let share = least(shares);
            println!("threads: {threads}, other work: {steps} steps, the least takes {share:.2}");
        }
    }
    for steps in [50, 200] {
        let alone = (0..ROUNDS).map(|_| round(&[steps])[0]).fold(0.0, f64::max);
        for others in [1, 3, 7] {
            let all = [&[steps][..], &vec![0; others]].concat();
            let kept = least((0..ROUNDS).map(|_| round(&all)[0])) / alone;
            println!("one with {steps} steps among {others} with none keeps {kept:.2} of its pace");
        }
    }
}
