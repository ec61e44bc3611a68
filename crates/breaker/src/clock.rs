use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use crate::circuit::nanos;

/// The time as the circuits of one layer count it.
#[derive(Debug)]
pub(crate) struct Clock {
    /// No other clock of the process has the same.
    number: u64,
    pub(crate) start: Instant,
    /// How long a step is, in nanoseconds.
    step: u64,
}

/// A step of a clock: from when it lasts, and until when.
#[derive(Clone, Copy)]
struct Step {
    clock: u64,
    number: u64,
    from: Instant,
    until: Instant,
}

thread_local! {
    /// The step that a thread looked up last. It mostly is in that one still, and to compare instants
    /// costs less than to subtract them and to divide.
    static LAST: Cell<Option<Step>> = const { Cell::new(None) };
}

impl Clock {
    /// A clock of steps of so many nanoseconds, which starts now.
    pub(crate) fn new(step: u64) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self {
            number: NEXT.fetch_add(1, Ordering::Relaxed),
            start: Instant::now(),
            step,
        }
    }

    /// The nanoseconds up to an instant.
    #[inline]
    pub(crate) fn nanos(&self, now: Instant) -> u64 {
        nanos(now.saturating_duration_since(self.start))
    }

    /// The step that an instant is in.
    #[inline]
    pub(crate) fn step(&self, now: Instant) -> u64 {
        LAST.with(|last| match last.get() {
            Some(last) if last.clock == self.number && last.from <= now && now < last.until => {
                last.number
            }
            _ => self.look_up(now),
        })
    }

    #[cold]
    fn look_up(&self, now: Instant) -> u64 {
        let number = self.nanos(now) / self.step;
        let edge = |number: u64| {
            let after = Duration::from_nanos(number.checked_mul(self.step)?);
            self.start.checked_add(after)
        };
        let known = edge(number).zip(edge(number + 1));
        LAST.set(known.map(|(from, until)| Step {
            clock: self.number,
            number,
            from,
            until,
        }));
        number
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn clock(start: Instant, step: u64) -> Clock {
        Clock {
            start,
            ..Clock::new(step)
        }
    }

    proptest! {
        /// Of two clocks in turn, forwards and backwards, on the edges and beside them.
        #[test]
        fn a_step_is_what_division_says(
            steps in [1_u64..5, 900_000_000..1_100_000_000],
            asked in prop::collection::vec((any::<bool>(), 0_u64..4, -2_i64..3), 1..100),
        ) {
            let start = Instant::now();
            let clocks = steps.map(|step| clock(start, step));
            for (which, number, beside) in asked {
                let clock = &clocks[usize::from(which)];
                let nanos = (number * clock.step).saturating_add_signed(beside);
                let now = start + Duration::from_nanos(nanos);
                prop_assert_eq!(clock.step(now), nanos / clock.step);
                prop_assert_eq!(clock.step(now), nanos / clock.step, "looked up before");
            }
        }
    }

    #[test]
    fn what_is_before_the_start_or_beyond_all_edges_has_a_step_too() {
        let start = Instant::now() + Duration::from_secs(1);
        let clock = clock(start, u64::MAX);
        let minute = Duration::from_secs(60);
        assert_eq!(clock.step(start - Duration::from_nanos(1)), 0);
        assert_eq!(clock.step(start + minute), 0);
        assert_eq!(clock.nanos(start + minute), 60_000_000_000);
    }
}
