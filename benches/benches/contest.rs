//! How many tokens a second can be taken of a bucket that is told the time, ours and governor's, by one
//! thread and by two: at once one after the other, and with other work in between. Both are told the same
//! times and refuse nothing; they take turns, and what is told of the pairs of rounds is the median of
//! their ratio and its quartiles. A round counts when all its threads ran from its beginning to its end:
//! two that a busy machine runs one after the other do not meet. Where it does not count, it is repeated.
//!
//! On two quiet cores (AMD EPYC 9004), in five runs: 1.08 to 1.09 by one thread; by two 1.7 to 5.4, with 20
//! steps of other work 1.3 to 2.2, and with 50 from 0.8 to 1.2.
//!
//! Times are no sure thing on a machine that does other things: it is no part of what gates a change.

#![allow(
    clippy::disallowed_methods,
    reason = "threads are timed by the real clock"
)]

use std::hint::black_box;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use outrigger_benches::kernel::TokenBucket;

use self::peer::{BURST, Governor, PER_SECOND};

#[path = "limits/peer.rs"]
mod peer;

/// Threads, and the steps of other work that they do after each token: one takes about half a nanosecond.
const CONTESTS: [(usize, u32); 4] = [(1, 0), (2, 0), (2, 20), (2, 50)];
/// The time that passes from one token to the next that a thread takes, as it is told, in nanoseconds.
const PACE: u64 = 300_000;
const ROUNDS: usize = 21;
const LASTS: Duration = Duration::from_millis(20);
/// Tokens between two looks at the clock.
const SPELL: u64 = 256;
/// Who has not come by the clock for so long did not run.
const AWAY: Duration = Duration::from_millis(1);
/// How often a round is begun anew because somebody was away.
const RETRIES: usize = 20;

/// Nothing else in its cache lines.
#[repr(align(128))]
struct Alone<T>(T);

/// What a round, or a thread of it, has come to.
#[derive(Clone, Copy)]
struct Score {
    a_second: f64,
    began: Instant,
    away: Duration,
}

/// A round among so many threads.
fn round<T: Sync>(
    (threads, steps): (usize, u32),
    bucket: T,
    take: impl Fn(&T, u64) -> bool + Sync,
) -> Score {
    let (bucket, over) = (Alone(bucket), Alone(AtomicBool::new(false)));
    let start = Barrier::new(threads);
    let run = || {
        let (mut asked, mut taken, mut away) = (0, 0, Duration::ZERO);
        start.wait();
        let began = Instant::now();
        let mut last = began;
        while !over.0.load(Ordering::Relaxed) {
            for _ in 0..SPELL {
                taken += u64::from(take(&bucket.0, black_box(asked * PACE)));
                asked += 1;
                if steps > 0 {
                    work(steps);
                }
            }
            let now = Instant::now();
            away = away.max(now - last);
            last = now;
            if now - began >= LASTS {
                over.0.store(true, Ordering::Relaxed);
            }
        }
        assert_eq!(taken, asked, "nobody is refused");
        let a_second = taken as f64 / (last - began).as_secs_f64();
        Score {
            a_second,
            began,
            away,
        }
    };
    thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(run)).collect();
        others.into_iter().fold(run(), |sum, other| {
            let other = other.join().unwrap();
            let late = other.began.max(sum.began) - other.began.min(sum.began);
            Score {
                a_second: sum.a_second + other.a_second,
                began: sum.began,
                away: sum.away.max(other.away).max(late),
            }
        })
    })
}

/// Other work, which shares nothing.
fn work(steps: u32) {
    let mut sum = black_box(1_u64);
    for _ in 0..steps {
        sum = sum.wrapping_mul(3) ^ (sum >> 7);
    }
    black_box(sum);
}

/// Tokens a second in a round in which nobody was away, if there is one.
fn undisturbed(round: impl Fn() -> Score) -> Option<f64> {
    let mut rounds = (0..=RETRIES).map(|_| round());
    let score = rounds.find(|score| score.away < AWAY)?;
    Some(score.a_second)
}

fn main() {
    for contest in CONTESTS {
        let ours = || {
            let bucket = TokenBucket::full(PER_SECOND, BURST);
            round(contest, bucket, TokenBucket::take)
        };
        let governors = || round(contest, Governor::new(), Governor::take);
        let pair = |_| Some(undisturbed(ours)? / undisturbed(governors)?);
        let mut ratios: Vec<f64> = (0..ROUNDS).filter_map(pair).collect();
        ratios.sort_unstable_by(f64::total_cmp);
        let (threads, steps) = contest;
        print!(
            "threads: {threads}, other work: {steps} steps, undisturbed: {} of {ROUNDS}, ",
            ratios.len()
        );
        match [1, 2, 3].map(|quarter| ratios.get(ratios.len() * quarter / 4)) {
            [Some(low), Some(median), Some(high)] => {
                println!("tokens a second: {median:.2} times governor's ({low:.2} to {high:.2})");
            }
            _ => println!("the machine is too busy"),
        }
    }
}
