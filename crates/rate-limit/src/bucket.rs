use std::hint;

use crate::Quota;
use crate::sync::{AtomicU64, Ordering};

/// How late a call that has waited may come without its token being lost: timers tick once in a
/// millisecond, and the next tick may be missed. In nanoseconds.
pub(crate) const TICK: u64 = 2_000_000;

/// A clock that is this far behind the one before has gone backwards, and is not just a thread that read
/// it and then was kept from going on. In nanoseconds.
const BACKWARDS: u64 = 60 * 1_000_000_000;

/// How long a thread that has lost the race for a token leaves the bucket to the others, in spins: some
/// hundred nanoseconds, several times what a cache line takes from one core to another.
const ASIDE: u32 = 16;

/// A token bucket: the generic cell rate algorithm (ITU-T I.371) on one atomic. It is told the time,
/// in nanoseconds of its life.
#[derive(Debug)]
pub(crate) struct Bucket {
    /// The instant at which the bucket is full again; in the past, it has been for that long.
    full_at: AtomicU64,
    interval: u64,
    capacity: u64,
}

impl Bucket {
    /// A full bucket.
    pub(crate) fn full(quota: Quota) -> Self {
        Self {
            full_at: AtomicU64::new(0),
            interval: quota.nanos(),
            capacity: quota.capacity(),
        }
    }

    /// Takes `cost` tokens, all or none.
    ///
    /// # Errors
    /// The instant at which there will be so many, when nobody else takes any.
    #[inline]
    pub(crate) fn take(&self, now: u64, cost: u32) -> Result<(), u64> {
        self.take_since(now, now, cost)
    }

    /// Takes `cost` tokens for one that was due at `due` and may come a tick late: what a bucket that is
    /// smaller than a tick has spilled in the meantime counts.
    pub(crate) fn take_late(&self, now: u64, due: u64, cost: u32) -> Result<(), u64> {
        let room = self.capacity - self.interval.min(self.capacity);
        let spilled = TICK.saturating_sub(room);
        let since = now.saturating_sub(spilled).max(due);
        self.take_since(now, since.min(now), cost)
    }

    /// The instant from which on there are `cost` tokens, when nobody else takes any; `now` when they are
    /// there.
    #[inline]
    pub(crate) fn slot(&self, now: u64, cost: u64) -> u64 {
        let full_at = self.full_at(now, self.full_at.load(Ordering::Relaxed));
        let full_at = full_at.max(now).saturating_add(self.span(cost));
        full_at.saturating_sub(self.capacity).max(now)
    }

    /// How many tokens there are.
    pub(crate) fn available(&self, now: u64) -> u64 {
        let full_at = self.full_at(now, self.full_at.load(Ordering::Relaxed));
        let missing = full_at.saturating_sub(now);
        self.capacity.saturating_sub(missing) / self.interval
    }

    /// Whether it is as good as new.
    pub(crate) fn is_full(&self, now: u64) -> bool {
        self.full_at(now, self.full_at.load(Ordering::Relaxed)) <= now
    }

    /// The time that earns one token.
    pub(crate) fn interval(&self) -> u64 {
        self.interval
    }

    /// The time that earns so many tokens.
    #[inline]
    pub(crate) fn span(&self, cost: u64) -> u64 {
        cost.saturating_mul(self.interval)
    }

    /// Takes `cost` tokens at `now` of a bucket that has been full since `since` at the latest.
    #[inline]
    fn take_since(&self, now: u64, since: u64, cost: u32) -> Result<(), u64> {
        let (span, capacity) = (self.span(cost.into()), self.capacity);
        let latest = now.saturating_add(capacity);
        let relaxed = Ordering::Relaxed;
        let (mut known, mut waits) = (self.full_at.load(relaxed), false);
        loop {
            let mut full_at = known.max(since).saturating_add(span);
            if full_at > latest {
                if !has_gone_back(known, latest) {
                    return Err(full_at - capacity);
                }
                full_at = since.saturating_add(span).min(latest);
            }
            let exchanged = self
                .full_at
                .compare_exchange_weak(known, full_at, relaxed, relaxed);
            known = match exchanged {
                Ok(_) => return Ok(()),
                Err(other) => other,
            };
            // In a crowd all take faster when each has the cache line to itself for a while. Who has
            // waited finds that others took, and then tries at once.
            waits = !waits;
            if waits {
                for _ in 0..ASIDE {
                    hint::spin_loop();
                }
            }
        }
    }

    /// After a clock that went backwards the bucket is full: better one burst too many than a call that
    /// waits for the time it was yesterday.
    #[inline]
    fn full_at(&self, now: u64, full_at: u64) -> u64 {
        if has_gone_back(full_at, now.saturating_add(self.capacity)) {
            now
        } else {
            full_at
        }
    }
}

/// Whether the clock shows a time that is long past: it has shown `then` before.
#[inline]
pub(crate) fn has_gone_back(then: u64, now: u64) -> bool {
    then > now.saturating_add(BACKWARDS)
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    const SECOND: u64 = 1_000_000_000;
    const DAY: u64 = 24 * 60 * 60 * SECOND;

    fn quota(interval: u64, burst: u32) -> Quota {
        let quota = Quota::per(NonZeroU32::MIN, Duration::from_nanos(interval));
        quota.burst(NonZeroU32::new(burst).unwrap())
    }

    fn bucket(interval: u64, burst: u32) -> Bucket {
        Bucket::full(quota(interval, burst))
    }

    #[test]
    fn a_burst_goes_at_once_and_the_rest_at_the_rate() {
        let bucket = bucket(SECOND, 3);
        for _ in 0..3 {
            assert_eq!(bucket.take(0, 1), Ok(()));
        }
        assert_eq!(bucket.take(0, 1), Err(SECOND));
        assert_eq!(bucket.take(SECOND - 1, 1), Err(SECOND));
        assert_eq!(bucket.take(SECOND, 1), Ok(()));
        assert_eq!(bucket.slot(SECOND, 3), 4 * SECOND);
        assert_eq!(bucket.take(4 * SECOND, 3), Ok(()));
    }

    #[test]
    fn a_bucket_smaller_than_a_tick_keeps_its_rate_for_those_who_come_a_tick_late() {
        let bucket = bucket(50_000, 1);
        let mut taken = 0;
        for tick in 0..1_000 {
            while bucket.take_late(tick * 1_000_000, 0, 1).is_ok() {
                taken += 1;
            }
        }
        assert!((20_000 - 20..=20_000 + 41).contains(&taken), "{taken}");
        assert!(bucket.take(999 * 1_000_000, 1).is_err());
    }

    #[test]
    fn who_comes_later_than_a_tick_has_no_more_than_a_tick() {
        let bucket = bucket(50_000, 1);
        let at_once = (0..1_000).filter(|_| bucket.take_late(DAY, 0, 1).is_ok());
        assert_eq!(at_once.count() as u64, TICK / 50_000 + 1);
    }

    #[test]
    fn a_clock_that_jumps_gives_one_burst_and_no_more() {
        let bucket = bucket(SECOND, 5);
        let burst = |now| (0..100).filter(|_| bucket.take(now, 1).is_ok()).count();
        assert_eq!(burst(2 * DAY), 5);
        assert_eq!(burst(3 * DAY), 5, "a day later");
        assert_eq!(burst(2 * DAY), 5, "a day earlier");
        assert_eq!(burst(2 * DAY), 0, "and then it goes on from there");
        assert_eq!(burst(2 * DAY + SECOND), 1);
        assert_eq!(burst(0), 5);
    }

    #[test]
    fn two_threads_that_read_the_clock_one_after_the_other_are_no_jump() {
        let bucket = bucket(SECOND, 5);
        assert_eq!(bucket.take(10 * SECOND, 5), Ok(()));
        assert_eq!(bucket.take(9 * SECOND, 1), Err(11 * SECOND));
        assert_eq!(bucket.available(9 * SECOND), 0);
    }

    /// What went, each with its instant and its cost.
    type Gone = Vec<(u64, u64)>;

    /// Whether no window holds more than a burst, given as the time that earns it, and what the rate
    /// gives in it.
    fn is_within(gone: &Gone, interval: u64, burst: u64) -> bool {
        gone.iter().enumerate().all(|(n, (from, _))| {
            let mut sum = 0;
            gone[n..].iter().all(|(to, cost)| {
                sum += cost;
                sum * interval <= burst + (to - from)
            })
        })
    }

    #[test]
    fn the_oracle_sees_one_call_too_many() {
        let mut gone = vec![(0, 3), (10, 1), (20, 1)];
        assert!(is_within(&gone, 10, 30));
        gone.push((29, 1));
        assert!(!is_within(&gone, 10, 30));
    }

    proptest! {
        #[test]
        fn no_window_holds_more_than_the_burst_and_the_rate(
            interval in 1_u64..5_000_000,
            burst in 1_u32..20,
            asked in prop::collection::vec((0_u64..6_000_000, 1_u32..20, any::<bool>()), 1..300),
        ) {
            let bucket = bucket(interval, burst);
            let (mut now, mut gone) = (0, Gone::new());
            for (pause, cost, waits) in asked {
                now += pause;
                let cost = cost.min(burst);
                let taken = match waits {
                    true => bucket.take_late(now, now - pause, cost),
                    false => bucket.take(now, cost),
                };
                if taken.is_ok() {
                    gone.push((now, cost.into()));
                }
            }
            let burst = u64::from(burst) * interval;
            prop_assert!(is_within(&gone, interval, burst.max(interval + TICK)));
        }

        #[test]
        fn it_takes_whatever_a_plain_bucket_would_and_nothing_else(
            interval in 1_u64..1_000,
            burst in 1_u32..20,
            asked in prop::collection::vec((0_u64..5_000, 1_u32..25), 1..200),
        ) {
            let bucket = bucket(interval, burst);
            // In units of a token's interval, so that fractions of tokens are whole numbers.
            let room = u64::from(burst) * interval;
            let (mut level, mut now) = (room, 0);
            for (pause, cost) in asked {
                now += pause;
                level = (level + pause).min(room);
                let span = u64::from(cost) * interval;
                prop_assert_eq!(bucket.available(now), level / interval);
                prop_assert_eq!(bucket.is_full(now), level == room);
                if level >= span {
                    prop_assert_eq!(bucket.slot(now, cost.into()), now);
                    prop_assert_eq!(bucket.take(now, cost), Ok(()));
                    level -= span;
                } else {
                    prop_assert_eq!(bucket.take(now, cost), Err(now + span - level));
                    prop_assert_eq!(bucket.slot(now, cost.into()), now + span - level);
                }
            }
        }

        #[test]
        fn no_value_overflows(interval: u64, burst in 1_u32.., now: u64, then: u64, cost: u32) {
            let bucket = bucket(interval, burst);
            for now in [now, then, u64::MAX, 0] {
                let _ = bucket.take(now, cost);
                let _ = bucket.take_late(now, then, cost);
                prop_assert!(bucket.slot(now, u64::MAX) >= now);
                prop_assert!(bucket.available(now) <= burst.into());
            }
        }
    }
}

#[cfg(all(test, outrigger_loom))]
mod loom_tests {
    use std::num::NonZeroU32;
    use std::sync::Arc;
    use std::time::Duration;

    use loom::thread;

    use super::*;

    fn bucket(burst: u32) -> Arc<Bucket> {
        let quota = Quota::per(NonZeroU32::MIN, Duration::from_secs(1));
        Arc::new(Bucket::full(quota.burst(NonZeroU32::new(burst).unwrap())))
    }

    #[test]
    fn three_that_take_two_tokens_get_two() {
        loom::model(|| {
            let bucket = bucket(2);
            let others = [(); 2].map(|()| {
                let bucket = Arc::clone(&bucket);
                thread::spawn(move || bucket.take(0, 1).is_ok())
            });
            let mut taken = usize::from(bucket.take(0, 1).is_ok());
            for other in others {
                taken += usize::from(other.join().unwrap());
            }
            assert_eq!((taken, bucket.available(0)), (2, 0));
        });
    }

    #[test]
    fn who_takes_much_does_not_overlook_who_takes_little() {
        loom::model(|| {
            let bucket = bucket(3);
            let other = Arc::clone(&bucket);
            let other = thread::spawn(move || other.take(0, 3).is_ok());
            let one = bucket.take(0, 1).is_ok();
            let much = other.join().unwrap();
            assert!(one || much);
            assert_eq!(
                bucket.available(0),
                3 - 3 * u64::from(much) - u64::from(one)
            );
        });
    }

    #[test]
    fn a_token_that_is_earned_is_taken_once() {
        loom::model(|| {
            let bucket = bucket(1);
            bucket.take(0, 1).unwrap();
            let other = Arc::clone(&bucket);
            let other = thread::spawn(move || other.take_late(1_000_000_000, 0, 1).is_ok());
            let one = bucket.take(1_000_000_000, 1).is_ok();
            assert!(one != other.join().unwrap());
        });
    }
}
