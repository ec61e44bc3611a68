use std::num::NonZeroU32;
use std::time::Duration;

/// The longest time that is told apart from a longer one: 30 years, in nanoseconds.
const LONGEST: u64 = 30 * 365 * 24 * 60 * 60 * 1_000_000_000;

/// How much may go in which time: a rate, and a burst that may go at once after a rest.
///
/// In any span of time of length `t` at most `burst + rate × t` goes. The time between two calls is
/// counted in nanoseconds and rounded up, so that the rate is never exceeded.
///
/// ```
/// use std::num::NonZeroU32;
/// use outrigger_rate_limit::Quota;
///
/// const FIVE: NonZeroU32 = NonZeroU32::new(5).unwrap();
/// let quota = Quota::per_second(FIVE).burst(FIVE);
/// assert_eq!(quota.interval().as_millis(), 200);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Quota {
    interval: u64,
    burst: NonZeroU32,
}

impl Quota {
    /// So many calls a second, one at a time until [`burst`](Self::burst) says otherwise.
    pub fn per_second(calls: NonZeroU32) -> Self {
        Self::per(calls, Duration::from_secs(1))
    }

    /// So many calls a minute, one at a time until [`burst`](Self::burst) says otherwise.
    pub fn per_minute(calls: NonZeroU32) -> Self {
        Self::per(calls, Duration::from_secs(60))
    }

    /// So many calls an hour, one at a time until [`burst`](Self::burst) says otherwise.
    pub fn per_hour(calls: NonZeroU32) -> Self {
        Self::per(calls, Duration::from_secs(60 * 60))
    }

    /// So many calls in a period, one at a time until [`burst`](Self::burst) says otherwise. More than
    /// one in a nanosecond counts as one, a period beyond 30 years as 30 years.
    pub fn per(calls: NonZeroU32, period: Duration) -> Self {
        let period = u64::try_from(period.as_nanos()).unwrap_or(LONGEST);
        let interval = period.min(LONGEST).div_ceil(u64::from(calls.get())).max(1);
        Self {
            interval,
            burst: NonZeroU32::MIN,
        }
    }

    /// So many calls may go at once after a rest; the rate earns them back one by one. Default: 1.
    #[must_use]
    pub fn burst(mut self, calls: NonZeroU32) -> Self {
        self.burst = calls;
        self
    }

    /// The time that earns one call.
    pub fn interval(self) -> Duration {
        Duration::from_nanos(self.interval)
    }

    /// The most calls that go at once.
    pub fn burst_size(self) -> NonZeroU32 {
        self.burst
    }

    /// The time that earns one call, in nanoseconds.
    pub(crate) fn nanos(self) -> u64 {
        self.interval
    }

    /// The time that earns a whole burst, in nanoseconds.
    pub(crate) fn capacity(self) -> u64 {
        u64::from(self.burst.get())
            .saturating_mul(self.interval)
            .min(LONGEST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calls(number: u32) -> NonZeroU32 {
        NonZeroU32::new(number).unwrap()
    }

    #[test]
    fn a_rate_is_an_interval_that_is_never_too_short() {
        for (quota, nanos) in [
            (Quota::per_second(calls(5)), 200_000_000),
            (Quota::per_second(calls(3)), 333_333_334),
            (Quota::per_minute(calls(600)), 100_000_000),
            (Quota::per_hour(calls(3_600)), 1_000_000_000),
            (Quota::per(calls(7), Duration::ZERO), 1),
            (Quota::per_second(NonZeroU32::MAX), 1),
            (Quota::per(calls(1), Duration::MAX), LONGEST),
        ] {
            assert_eq!(quota.nanos(), nanos, "{quota:?}");
        }
    }

    #[test]
    fn no_burst_overflows() {
        let quota = Quota::per(calls(1), Duration::MAX).burst(NonZeroU32::MAX);
        assert_eq!(quota.capacity(), LONGEST);
        assert_eq!(Quota::per_second(calls(5)).capacity(), 200_000_000);
    }
}
