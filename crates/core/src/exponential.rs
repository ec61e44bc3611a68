use std::time::Duration;

/// A schedule of pauses that grow by a factor up to a cap: `base`, `base × factor`, …
///
/// It is an endless iterator. The die of each pause is drawn from the thread when it is asked for
/// and is no part of the schedule, so that its clones do not roll alike.
///
/// ```
/// use std::time::Duration;
/// use outrigger_core::{Exponential, Jitter};
///
/// let millis = Duration::from_millis;
/// let plain = Exponential::new(millis(50), millis(300)).jitter(Jitter::None);
/// assert!(plain.take(5).eq([50, 100, 200, 300, 300].map(millis)));
///
/// let jittered = Exponential::new(millis(50), millis(300));
/// assert!(jittered.take(5).zip([50, 100, 200, 300, 300]).all(|(pause, most)| pause <= millis(most)));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "iterators do nothing unless asked"]
pub struct Exponential {
    base: u64,
    cap: u64,
    factor: u32,
    jitter: Jitter,
    step: u32,
}

/// What chance does to a pause.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Jitter {
    /// Anything from nothing to the whole pause, all equally likely ("full jitter": M. Brooker,
    /// "Exponential Backoff And Jitter", 2015).
    #[default]
    Full,
    /// The pause itself. Callers that failed together come back together.
    None,
}

impl Exponential {
    /// Pauses from `base` up to `cap`, each twice the one before, with [`Jitter::Full`].
    ///
    /// A base above the cap is the cap; a base of zero is no pause at all. Nothing is longer than
    /// 2^64 ns, about 584 years.
    pub fn new(base: Duration, cap: Duration) -> Self {
        Self {
            base: nanos(base),
            cap: nanos(cap),
            factor: 2,
            jitter: Jitter::default(),
            step: 0,
        }
    }

    /// Multiplies each pause by this to get the next. Default: 2; with 1 or 0 all are `base`.
    pub fn factor(mut self, factor: u32) -> Self {
        self.factor = factor.max(1);
        self
    }

    /// Sets what chance does to each pause. Default: [`Jitter::Full`].
    pub fn jitter(mut self, jitter: Jitter) -> Self {
        self.jitter = jitter;
        self
    }

    /// The pause at a step, from 0, for a die rolled by the caller: the same for the same two.
    pub fn pause(&self, step: u32, die: u64) -> Duration {
        let growth = u128::from(self.factor).saturating_pow(step);
        let longest = u128::from(self.base).saturating_mul(growth);
        let longest = u64::try_from(longest).unwrap_or(u64::MAX).min(self.cap);
        Duration::from_nanos(match self.jitter {
            Jitter::Full => share(longest, die),
            Jitter::None => longest,
        })
    }
}

impl Iterator for Exponential {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let pause = self.pause(self.step, fastrand::u64(..));
        self.step = self.step.saturating_add(1);
        Some(pause)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (usize::MAX, None)
    }
}

/// A number of `0..=most`, as evenly as the die's 64 bits allow.
fn share(most: u64, die: u64) -> u64 {
    let wide = (u128::from(most) + 1) * u128::from(die);
    u64::try_from(wide >> 64).unwrap_or(most)
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    const MILLI: Duration = Duration::from_millis(1);

    #[test]
    fn the_default_doubles_up_to_the_cap() {
        let schedule = Exponential::new(50 * MILLI, 20_000 * MILLI);
        let longest: Vec<_> = (0..11)
            .map(|step| schedule.pause(step, u64::MAX).as_millis())
            .collect();
        let expected = [
            50, 100, 200, 400, 800, 1600, 3200, 6400, 12800, 20000, 20000,
        ];
        assert_eq!(longest, expected);
    }

    #[test]
    fn values_without_a_natural_meaning_have_a_harmless_one() {
        let above = Exponential::new(9 * MILLI, 3 * MILLI).jitter(Jitter::None);
        assert!(above.take(2).all(|pause| pause == 3 * MILLI));
        let zero = Exponential::new(Duration::ZERO, MILLI);
        assert!(zero.take(9).all(|pause| pause.is_zero()));
        for factor in [0, 1] {
            let constant = Exponential::new(MILLI, 9 * MILLI).factor(factor);
            assert_eq!(constant.pause(u32::MAX, u64::MAX), MILLI);
        }
    }

    #[test]
    fn clones_of_one_schedule_do_not_roll_alike() {
        let schedule = Exponential::new(50 * MILLI, 20_000 * MILLI);
        let first: HashSet<_> = (0..1_000).filter_map(|_| schedule.clone().next()).collect();
        assert!(first.len() >= 990, "{} distinct", first.len());
    }

    #[test]
    fn full_jitter_is_uniform() {
        // Kolmogorov-Smirnov: of 10,000 even draws out of 10,000 ms, the one of each rank lies within
        // 1.95 / √10,000 of the range around that rank's milliseconds, but for a chance of 0.1 %.
        let schedule = Exponential::new(10_000 * MILLI, 10_000 * MILLI);
        let mut dice = fastrand::Rng::with_seed(7);
        let mut draws: Vec<_> = (0..10_000)
            .map(|_| schedule.pause(0, dice.u64(..)))
            .collect();
        draws.sort_unstable();
        for (rank, draw) in (1..).zip(draws) {
            assert!(
                draw.abs_diff(rank * MILLI) < 195 * MILLI,
                "{draw:?} at {rank}"
            );
        }
    }

    proptest! {
        #[test]
        fn no_step_of_any_schedule_is_above_the_cap(
            base: Duration, cap: Duration, factor: u32, step: u32, die: u64,
        ) {
            let schedule = Exponential::new(base, cap).factor(factor);
            let longest = schedule.clone().jitter(Jitter::None).pause(step, die);
            prop_assert!(longest <= cap);
            prop_assert!(schedule.pause(step, die) <= longest);
            prop_assert!(schedule.jitter(Jitter::None).pause(step.saturating_add(1), die) >= longest);
        }

        #[test]
        fn a_schedule_equals_the_plain_model(
            base in 0_u64..1 << 40, cap in 0_u64..1 << 40, factor in 1_u32..5,
        ) {
            let schedule = Exponential::new(Duration::from_nanos(base), Duration::from_nanos(cap))
                .factor(factor)
                .jitter(Jitter::None);
            let mut model = base.min(cap);
            for pause in schedule.take(50) {
                prop_assert_eq!(pause, Duration::from_nanos(model));
                model = (model * u64::from(factor)).min(cap);
            }
        }
    }
}
