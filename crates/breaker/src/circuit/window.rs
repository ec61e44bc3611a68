use std::ops::Range;

use super::sync::{AtomicU64, Ordering};
use super::trip::Counts;

/// In how many steps a window slides.
pub(crate) const BUCKETS: usize = 16;

/// The judged calls of a sliding window, for one generation of a circuit at a time.
///
/// A ring of buckets, each of a fraction of the window. A word of a bucket says what it counts for and
/// how much: 16 bits of the generation, 24 of the lap around the ring, 24 of the count. So a bucket
/// that was left over from an earlier lap or generation counts as nothing and is taken over by the
/// first that needs it; nothing has to be cleared.
#[derive(Debug)]
pub(crate) struct Window<const N: usize> {
    buckets: [Bucket; N],
    /// Failures since the last success, for this generation and no lap.
    run: Tally,
}

#[derive(Debug, Default)]
struct Bucket {
    calls: Tally,
    failures: Tally,
    slow: Tally,
}

/// Where a call was counted as a success: what it takes to take that back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Receipt {
    /// The step, of which no more than the last [`BITS`](Self::BITS) need be kept.
    pub(crate) step: u32,
}

impl Receipt {
    /// So many bits tell all steps apart that a stamp does, and more.
    pub(crate) const BITS: u32 = 30;
    const STEPS: u64 = (1 << Self::BITS) - 1;

    #[inline]
    pub(super) fn of(step: u64) -> Self {
        let step = step as u32;
        Self { step }
    }

    /// How many steps ago that was; 0 where it is yet to come.
    fn age(self, step: u64) -> u64 {
        let age = step.wrapping_sub(self.step.into()) & Self::STEPS;
        if age > Self::STEPS / 2 { 0 } else { age }
    }
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    Success,
    Slow,
    Failure,
}

impl<const N: usize> Window<N> {
    pub(crate) fn new() -> Self {
        Self {
            buckets: std::array::from_fn(|_| Bucket::default()),
            run: Tally::default(),
        }
    }

    /// Counts a success in the bucket of this step of time, if that is this generation's already and
    /// nobody else counts in it just now; `holds` as for [`count`](Self::count).
    #[inline]
    pub(crate) fn count_success(
        &self,
        generation: u32,
        step: u64,
        holds: impl Fn() -> bool,
    ) -> Option<Receipt> {
        let (bucket, stamp) = self.at(generation, step);
        let counted = bucket.calls.add_at_once(stamp, holds);
        counted.then_some(Receipt::of(step))
    }

    /// Counts a call in the bucket of this step of time, for as long as `holds` says that the
    /// generation stands.
    pub(crate) fn count(
        &self,
        mark: Mark,
        generation: u32,
        step: u64,
        holds: impl Fn() -> bool,
    ) -> Receipt {
        let (bucket, stamp) = self.at(generation, step);
        bucket.calls.add(stamp, &holds);
        match mark {
            Mark::Success => {}
            Mark::Slow => bucket.slow.add(stamp, &holds),
            Mark::Failure => {
                bucket.failures.add(stamp, &holds);
                self.run.add(stamp_of_run(generation), &holds);
            }
        }
        Receipt::of(step)
    }

    /// Ends a run of failures: a success was one to its end.
    #[inline]
    pub(crate) fn complete(&self, generation: u32, holds: impl Fn() -> bool) {
        let stamp = stamp_of_run(generation);
        // Mostly there is none, and nothing is written.
        if self.run.has_any(stamp) {
            self.run.change(stamp, holds, |_| 0);
        }
    }

    /// Turns a success into a failure: the one it was, or where that has left the window, one more.
    pub(crate) fn correct(
        &self,
        receipt: Receipt,
        generation: u32,
        step: u64,
        holds: impl Fn() -> bool,
    ) {
        if receipt.age(step) >= N as u64 {
            self.count(Mark::Failure, generation, step, holds);
            return;
        }
        let (bucket, stamp) = self.at(generation, receipt.step.into());
        bucket.failures.add(stamp, &holds);
        self.run.add(stamp_of_run(generation), &holds);
    }

    /// What the window holds at this step of time, of which so many of the last steps are recent.
    pub(crate) fn counts(&self, generation: u32, step: u64, recent: u64) -> Counts {
        let mut counts = Counts {
            run: self.run.get(stamp_of_run(generation)),
            ..Counts::default()
        };
        let held = (N as u64).min(step + 1);
        let recent = recent.min(held);
        self.add(&mut counts, generation, step + 1 - recent..step + 1);
        counts.recent = counts.calls;
        self.add(&mut counts, generation, step + 1 - held..step + 1 - recent);
        counts
    }

    /// Adds what the buckets of these steps hold.
    #[inline]
    fn add(&self, counts: &mut Counts, generation: u32, steps: Range<u64>) {
        for step in steps {
            let (bucket, stamp) = self.at(generation, step);
            counts.calls += bucket.calls.get(stamp);
            counts.failures += bucket.failures.get(stamp);
            counts.slow += bucket.slow.get(stamp);
        }
    }

    /// Another window that holds the same.
    #[cfg(all(test, not(outrigger_loom)))]
    pub(super) fn fork(&self) -> Self {
        let tally = |tally: &Tally| Tally(AtomicU64::new(tally.0.load(Ordering::SeqCst)));
        Self {
            buckets: std::array::from_fn(|at| Bucket {
                calls: tally(&self.buckets[at].calls),
                failures: tally(&self.buckets[at].failures),
                slow: tally(&self.buckets[at].slow),
            }),
            run: tally(&self.run),
        }
    }

    #[inline]
    fn at(&self, generation: u32, step: u64) -> (&Bucket, u64) {
        let (lap, at) = (step / N as u64, step % N as u64);
        let stamp = stamp_of_run(generation) | (lap & LAPS) << LAP;
        (&self.buckets[at as usize], stamp)
    }
}

const GENERATION: u32 = 48;
const LAP: u32 = 24;
const LAPS: u64 = (1 << (GENERATION - LAP)) - 1;
const COUNT: u64 = (1 << LAP) - 1;
/// A bucket so many laps ahead of a call was taken over while that call's thread stood still; further
/// ahead, the lap is an old one, and the number has come round.
const STALLED: u64 = 1 << 10;

fn stamp_of_run(generation: u32) -> u64 {
    u64::from(generation) << GENERATION
}

/// A count that stands under a stamp of generation and lap.
#[derive(Debug, Default)]
struct Tally(AtomicU64);

impl Tally {
    /// One more. `holds` is asked between reading and writing: while it answers yes, nobody has
    /// counted for a later generation.
    #[inline]
    fn add(&self, stamp: u64, holds: impl Fn() -> bool) {
        if !self.add_at_once(stamp, &holds) {
            self.change(stamp, holds, |count| count + 1);
        }
    }

    /// One more, if there is something under this stamp already, it can grow, and nobody comes between.
    #[inline]
    fn add_at_once(&self, stamp: u64, holds: impl Fn() -> bool) -> bool {
        let word = self.0.load(Ordering::SeqCst);
        // Under another stamp the difference is larger than any count.
        word ^ stamp < COUNT && holds() && self.replace(word, word + 1).is_ok()
    }

    #[inline]
    fn get(&self, stamp: u64) -> u64 {
        count_under(stamp, self.0.load(Ordering::SeqCst))
    }

    /// Whether there is more than nothing under this stamp.
    #[inline]
    fn has_any(&self, stamp: u64) -> bool {
        let count = self.0.load(Ordering::SeqCst) ^ stamp;
        count.wrapping_sub(1) < COUNT
    }

    #[cold]
    fn change(&self, stamp: u64, holds: impl Fn() -> bool, next: impl Fn(u64) -> u64) {
        let mut word = self.0.load(Ordering::SeqCst);
        loop {
            let count = count_under(stamp, word);
            if is_ahead(word, stamp) || !holds() {
                return;
            }
            match self.replace(word, stamp | next(count).min(COUNT)) {
                Ok(_) => return,
                Err(other) => word = other,
            }
        }
    }

    #[inline]
    fn replace(&self, word: u64, by: u64) -> Result<u64, u64> {
        let order = Ordering::SeqCst;
        self.0.compare_exchange_weak(word, by, order, order)
    }
}

/// What a word counts under this stamp.
#[inline]
fn count_under(stamp: u64, word: u64) -> u64 {
    // Under another stamp the difference is larger than any count.
    match word ^ stamp {
        count @ ..=COUNT => count,
        _ => 0,
    }
}

/// Whether a word of this generation belongs to a later lap.
#[inline]
fn is_ahead(word: u64, stamp: u64) -> bool {
    let laps = (word >> LAP).wrapping_sub(stamp >> LAP);
    (1..STALLED).contains(&laps)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn always() -> bool {
        true
    }

    fn counts(calls: u64, failures: u64, run: u64) -> Counts {
        Counts {
            calls,
            failures,
            slow: 0,
            run,
            recent: 0,
        }
    }

    #[test]
    fn a_window_slides_by_a_bucket_and_forgets_what_left_it() {
        let window = Window::<4>::new();
        for step in 0..10 {
            window.count(Mark::Failure, 7, step, always);
            let held = (step + 1).min(4);
            assert_eq!(window.counts(7, step, 0), counts(held, held, step + 1));
        }
        assert_eq!(window.counts(7, 12, 0).calls, 1);
        assert_eq!(window.counts(7, 13, 0).calls, 0);
        assert_eq!(
            window.counts(8, 9, 0),
            Counts::default(),
            "a new generation"
        );
    }

    #[test]
    fn a_call_that_comes_a_lap_late_takes_nothing_from_the_present() {
        let window = Window::<4>::new();
        window.count(Mark::Success, 0, 4, always);
        window.count(Mark::Failure, 0, 0, always);
        assert_eq!(window.counts(0, 4, 0).calls, 1);
        assert_eq!(window.counts(0, 4, 0).failures, 0);
    }

    #[test]
    fn a_count_stops_at_its_largest_number() {
        let tally = Tally(AtomicU64::new(COUNT - 1));
        for _ in 0..3 {
            tally.add(0, always);
        }
        assert_eq!(tally.get(0), COUNT);
    }

    #[test]
    fn an_old_word_does_not_stand_in_the_way_however_old_it_is() {
        for ahead in [0, STALLED, LAPS / 2, LAPS - STALLED] {
            let tally = Tally::default();
            tally.add(0, always);
            let stamp = ahead << LAP;
            tally.add(stamp, always);
            assert_eq!(tally.get(stamp), if ahead == 0 { 2 } else { 1 }, "{ahead}");
        }
    }

    #[test]
    fn a_success_that_was_none_becomes_the_failure_it_was() {
        let window = Window::<4>::new();
        for _ in 0..3 {
            window.count(Mark::Failure, 1, 0, always);
        }
        let receipt = window.count(Mark::Success, 1, 1, always);
        assert_eq!(window.counts(1, 1, 0), counts(4, 3, 3));
        window.correct(receipt, 1, 2, always);
        assert_eq!(window.counts(1, 2, 0), counts(4, 4, 4));
        window.complete(1, always);
        assert_eq!(window.counts(1, 2, 0), counts(4, 4, 0));
        window.correct(receipt, 1, 5, always);
        assert_eq!(
            window.counts(1, 5, 0),
            counts(1, 1, 1),
            "long gone: one more"
        );
    }

    #[test]
    fn a_receipt_knows_its_age_though_its_step_is_cut_short() {
        let far = 5 << Receipt::BITS;
        for (step, now, age) in [(7, 7, 0), (7, 10, 3), (7, 5, 0), (far - 1, far + 1, 2)] {
            assert_eq!(Receipt::of(step).age(now), age, "{step} at {now}");
        }
        let window = Window::<4>::new();
        let Receipt { step } = window.count(Mark::Success, 1, far - 1, always);
        let step = step % (1 << Receipt::BITS);
        let receipt = Receipt { step };
        window.correct(receipt, 1, far + 1, always);
        assert_eq!(window.counts(1, far + 1, 0), counts(1, 1, 1));
    }

    #[test]
    fn nothing_is_counted_once_the_generation_has_passed() {
        let window = Window::<4>::new();
        window.count(Mark::Failure, 1, 0, || false);
        assert_eq!(window.counts(1, 0, 0), Counts::default());
    }
}
