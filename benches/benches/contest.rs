//! How many tokens a second can be taken of a bucket that is told the time, ours and governor's, by one
//! thread and by two. Both take turns, and only the ratio of their median rounds is told: the best of two
//! threads are those in which they happened to run one after the other.
//!
//! Times are no sure thing on a machine that does other things: it is no part of what gates a change.

use std::hint::black_box;
use std::thread;
use std::time::{Duration, Instant};

use outrigger_benches::kernel::TokenBucket;

use self::peer::{BURST, Governor, PER_SECOND};

#[path = "limits/peer.rs"]
mod peer;

/// Tokens that each thread asks for in a round.
const ASKED: u64 = 200_000;
/// The time that passes from one to the next, in nanoseconds: both threads find as many as they ask for.
const PACE: u64 = 300_000;
const ROUNDS: usize = 31;
/// Nothing else in its cache lines.
#[repr(align(128))]
struct Alone<T>(T);

/// How long it takes so many threads to ask.
fn round<T: Sync>(threads: usize, bucket: T, take: impl Fn(&T, u64) -> bool + Sync) -> Duration {
    let bucket = Box::new(Alone(bucket));
    let work = || {
        let taken = (0..ASKED).filter(|n| take(&bucket.0, black_box(n * PACE)));
        black_box(taken.count());
    };
    let began = Instant::now();
    thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(work);
        }
        work();
    });
    began.elapsed()
}

fn main() {
    for threads in [1, 2] {
        let (mut ours, mut governor) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            let bucket = TokenBucket::full(PER_SECOND, BURST);
            ours.push(round(threads, bucket, TokenBucket::take));
            governor.push(round(threads, Governor::new(), Governor::take));
        }
        let ratio = median(governor).as_secs_f64() / median(ours).as_secs_f64();
        println!("threads: {threads}, tokens a second: {ratio:.2} times governor's");
    }
}

fn median(mut rounds: Vec<Duration>) -> Duration {
    rounds.sort_unstable();
    rounds[rounds.len() / 2]
}
