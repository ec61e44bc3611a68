use std::time::Duration;

use super::Ratio;

/// What opens a circuit.
///
/// ```
/// use std::time::Duration;
/// use outrigger_breaker::{Ratio, Trip};
///
/// // What the default does:
/// let trip = Trip::ratio(Ratio::percent(50))
///     .window(Duration::from_secs(10))
///     .min_calls(20)
///     .fallback(5);
/// assert_eq!(trip, Trip::default());
///
/// // Half of the calls slow, or ten failures in a row, however many calls there are:
/// let trip = Trip::slow(Ratio::percent(50)).or(Trip::consecutive(10));
/// # let _ = trip;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trip {
    window: Duration,
    min_calls: u32,
    failures: Option<Ratio>,
    slow: Option<Ratio>,
    consecutive: Option<u32>,
    fallback: Option<u32>,
}

/// What a circuit has counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Calls of the window that were judged, the failures and the slow ones among them.
    pub(crate) calls: u64,
    pub(crate) failures: u64,
    pub(crate) slow: u64,
    /// Failures since the last success.
    pub(crate) run: u64,
}

impl Trip {
    /// The window over which ratios are taken, unless set otherwise: 10 s.
    pub const DEFAULT_WINDOW: Duration = Duration::from_secs(10);

    /// How many calls a window must hold for its ratios to count, unless set otherwise: 20.
    pub const DEFAULT_MIN_CALLS: u32 = 20;

    /// The shortest window: 100 ms.
    const SHORTEST_WINDOW: Duration = Duration::from_millis(100);

    /// The longest window: an hour.
    const LONGEST_WINDOW: Duration = Duration::from_secs(3_600);

    const NEVER: Self = Self {
        window: Self::DEFAULT_WINDOW,
        min_calls: Self::DEFAULT_MIN_CALLS,
        failures: None,
        slow: None,
        consecutive: None,
        fallback: None,
    };

    /// Opens when so many of the calls of the [`window`](Self::window) have failed.
    pub const fn ratio(ratio: Ratio) -> Self {
        let mut trip = Self::NEVER;
        trip.failures = Some(ratio);
        trip
    }

    /// Opens when so many of the calls of the [`window`](Self::window) were slow, which is what the
    /// layer's [`slow_call`](crate::BreakerLayer::slow_call) says.
    pub const fn slow(ratio: Ratio) -> Self {
        let mut trip = Self::NEVER;
        trip.slow = Some(ratio);
        trip
    }

    /// Opens when so many calls have failed one after another, however long that took. 0 counts as 1.
    pub const fn consecutive(failures: u32) -> Self {
        let mut trip = Self::NEVER;
        trip.consecutive = Some(failures);
        trip
    }

    /// The time over which ratios are taken; it slides in steps of a sixteenth of its length. Default:
    /// 10 s; less than 100 ms counts as that, more than an hour as an hour. It should be longer than
    /// the longest call: a window that is shorter than the timeouts within it sees few at a time.
    #[must_use]
    pub const fn window(mut self, window: Duration) -> Self {
        self.window = window;
        self
    }

    /// How many calls the window must hold for ratios to count. Default: 20; 0 counts as 1.
    #[must_use]
    pub const fn min_calls(mut self, calls: u32) -> Self {
        self.min_calls = calls;
        self
    }

    /// How many failures one after another open the circuit while the window holds fewer than
    /// [`min_calls`](Self::min_calls). Default: none, but 5 in [`Trip::default`]; 0 counts as 1.
    #[must_use]
    pub const fn fallback(mut self, failures: u32) -> Self {
        self.fallback = Some(failures);
        self
    }

    /// Opens when this says so or the other. Where both ask for the same, the smaller number stands;
    /// the window and the least number of calls are those of whichever takes a ratio, and of `self`
    /// when both do.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        let (windowed, rest) = match (self.is_windowed(), other.is_windowed()) {
            (false, true) => (other, self),
            _ => (self, other),
        };
        Self {
            window: windowed.window,
            min_calls: windowed.min_calls,
            failures: smaller(self.failures, other.failures),
            slow: smaller(self.slow, other.slow),
            consecutive: smaller(self.consecutive, other.consecutive),
            fallback: smaller(windowed.fallback, rest.fallback),
        }
    }

    fn is_windowed(&self) -> bool {
        self.failures.is_some() || self.slow.is_some() || self.fallback.is_some()
    }

    /// Whether slow calls are held against the peer.
    pub(crate) fn minds_slow(&self) -> bool {
        self.slow.is_some()
    }

    /// The window within its bounds.
    pub(crate) fn span(&self) -> Duration {
        self.window
            .clamp(Self::SHORTEST_WINDOW, Self::LONGEST_WINDOW)
    }

    /// Whether this much opens the circuit.
    pub(crate) fn is_due(&self, counts: &Counts) -> bool {
        let enough = counts.calls >= u64::from(self.min_calls.max(1));
        let ratio = |ratio: Option<Ratio>, part| {
            ratio.is_some_and(|ratio| ratio.is_reached(part, counts.calls))
        };
        let run = |run: Option<u32>| run.is_some_and(|run| counts.run >= u64::from(run.max(1)));
        let ratios = ratio(self.failures, counts.failures) || ratio(self.slow, counts.slow);
        (enough && ratios) || run(self.consecutive) || (!enough && run(self.fallback))
    }
}

impl Default for Trip {
    /// Half of the calls of the last 10 s, if there were 20 or more; with fewer calls 5 failures one
    /// after another.
    fn default() -> Self {
        Self::ratio(Ratio::percent(50)).fallback(5)
    }
}

fn smaller<T: Ord>(one: Option<T>, other: Option<T>) -> Option<T> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(calls: u64, failures: u64, slow: u64, run: u64) -> Counts {
        Counts {
            calls,
            failures,
            slow,
            run,
        }
    }

    #[test]
    fn the_default_takes_a_ratio_of_many_calls_and_a_run_of_few() {
        let trip = Trip::default();
        assert!(trip.is_due(&counts(20, 10, 0, 1)));
        assert!(!trip.is_due(&counts(21, 10, 0, 1)), "less than half");
        assert!(!trip.is_due(&counts(19, 10, 0, 4)));
        assert!(trip.is_due(&counts(19, 5, 0, 5)));
        assert!(!trip.is_due(&counts(20, 5, 0, 5)), "many calls, a quarter");
    }

    #[test]
    fn either_of_two_trips_is_enough() {
        let slow = Trip::slow(Ratio::percent(10)).min_calls(5);
        for trip in [slow.or(Trip::consecutive(3)), Trip::consecutive(3).or(slow)] {
            assert!(trip.is_due(&counts(5, 0, 1, 0)));
            assert!(!trip.is_due(&counts(4, 0, 4, 2)));
            assert!(trip.is_due(&counts(100, 3, 0, 3)));
            assert!(trip.minds_slow());
        }
        let both = Trip::ratio(Ratio::percent(80)).or(Trip::ratio(Ratio::percent(30)));
        assert!(both.is_due(&counts(20, 6, 0, 1)));
    }

    #[test]
    fn every_value_has_a_meaning() {
        let second = Duration::from_secs(1);
        assert_eq!(Trip::default().window(Duration::ZERO).span(), second / 10);
        assert_eq!(Trip::default().window(Duration::MAX).span(), second * 3_600);
        let any = Trip::ratio(Ratio::percent(0)).min_calls(0);
        assert!(any.is_due(&counts(1_000, 1, 0, 1)));
        assert!(!any.is_due(&counts(1, 0, 0, 0)), "no failure at all");
        assert!(Trip::consecutive(0).is_due(&counts(1, 1, 0, 1)));
        assert!(!Trip::consecutive(0).is_due(&counts(1, 0, 0, 0)));
    }
}
