use std::time::Duration;

use super::{Ratio, nanos};

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
///     .fallback(5)
///     .warm_up(Duration::from_secs(1));
/// assert_eq!(trip, Trip::default());
///
/// // Half of the calls slow, or ten failures in a row, however many calls there are:
/// let trip = Trip::slow(Ratio::percent(50)).or(Trip::consecutive(10));
/// # let _ = trip;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trip {
    pub(super) window: Duration,
    pub(super) min_calls: u32,
    pub(super) failures: Option<Ratio>,
    pub(super) slow: Option<Ratio>,
    pub(super) consecutive: Option<u32>,
    pub(super) fallback: Option<u32>,
    pub(super) warm_up: Duration,
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
    /// Calls of the window that came within the trip's warm-up.
    pub(crate) recent: u64,
}

impl Counts {
    /// Whether more than three quarters of the calls are of the last moment.
    fn are_a_burst(&self) -> bool {
        self.recent * 4 > self.calls * 3
    }
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
        warm_up: Duration::ZERO,
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

    /// For how long calls must have come before they are taken at their word: while more than three
    /// quarters of those in the window are of the last so long, they are a burst, in which chance weighs
    /// much. What opens a circuit must then do so also with [`min_calls`](Self::min_calls) more
    /// successes, or be a run of failures that outnumbers the successes by the
    /// [`fallback`](Self::fallback). [`consecutive`](Self::consecutive) stands as it is. Default: none,
    /// but 1 s in [`Trip::default`]; it is rounded up to the window's steps, and to one more, and more
    /// than a sixth of the window counts as that.
    #[must_use]
    pub const fn warm_up(mut self, time: Duration) -> Self {
        self.warm_up = time;
        self
    }

    /// Opens when this says so or the other. Where both ask for the same, the smaller number stands;
    /// the window, the least number of calls and the warm-up are those of whichever takes a ratio, and
    /// of `self` when both do.
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
            warm_up: windowed.warm_up,
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

    /// How many steps of the window hold the warm-up, wherever in a step it began: of the window no
    /// more than a quarter.
    pub(crate) fn recent_steps(&self, step: u64, buckets: u64) -> u64 {
        match nanos(self.warm_up) {
            0 => 0,
            time => (time.div_ceil(step) + 1).min(buckets / 4),
        }
    }

    /// Whether this much opens the circuit.
    pub(crate) fn is_due(&self, counts: &Counts) -> bool {
        let least = u64::from(self.min_calls.max(1));
        let reached = match counts.calls >= least {
            true => self.reaches_a_ratio(counts, 0),
            false => is_run(self.fallback, counts.run),
        };
        // What chance hardly does: as though so many more had succeeded, or a run beyond all successes.
        let beyond = || {
            let successes = counts.calls.saturating_sub(counts.failures);
            self.reaches_a_ratio(counts, least)
                || is_run(self.fallback, counts.run.saturating_sub(successes))
        };
        is_run(self.consecutive, counts.run) || reached && (!counts.are_a_burst() || beyond())
    }

    /// Whether a ratio is reached, or would be if so many more calls had succeeded.
    fn reaches_a_ratio(&self, counts: &Counts, more: u64) -> bool {
        let calls = counts.calls + more;
        let ratio =
            |ratio: Option<Ratio>, part| ratio.is_some_and(|ratio| ratio.is_reached(part, calls));
        ratio(self.failures, counts.failures) || ratio(self.slow, counts.slow)
    }
}

impl Default for Trip {
    /// Half of the calls of the last 10 s, if there were 20 or more; with fewer calls 5 failures one
    /// after another. A burst must be worse: its [`warm_up`](Self::warm_up) is 1 s.
    fn default() -> Self {
        Self::ratio(Ratio::percent(50))
            .fallback(5)
            .warm_up(Duration::from_secs(1))
    }
}

/// Whether so many failures one after another are as many as are wanted, if any are.
fn is_run(wanted: Option<u32>, run: u64) -> bool {
    wanted.is_some_and(|wanted| run >= u64::from(wanted.max(1)))
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
            recent: 0,
        }
    }

    /// As many, all of them of the last moment.
    fn burst(calls: u64, failures: u64, slow: u64, run: u64) -> Counts {
        Counts {
            recent: calls,
            ..counts(calls, failures, slow, run)
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
    fn a_burst_must_be_worse_by_as_many_successes_or_a_run_beyond_them() {
        let trip = Trip::default();
        assert!(trip.is_due(&burst(5, 5, 0, 5)), "a dead peer");
        assert!(!trip.is_due(&burst(6, 5, 0, 5)));
        assert!(trip.is_due(&burst(11, 8, 0, 8)), "three were well");
        assert!(!trip.is_due(&burst(20, 10, 0, 4)));
        assert!(!trip.is_due(&burst(80, 49, 0, 4)));
        assert!(trip.is_due(&burst(80, 50, 0, 4)), "half of a hundred");
        assert!(trip.is_due(&burst(25, 15, 0, 15)));
        assert!(!trip.is_due(&burst(25, 14, 0, 14)));

        let mut counts = counts(20, 10, 0, 1);
        counts.recent = 15;
        assert!(trip.is_due(&counts), "three quarters are no burst");
        counts.recent = 16;
        assert!(!trip.is_due(&counts));
    }

    #[test]
    fn no_burst_opens_what_would_stay_closed_without_a_warm_up() {
        let most = Trip::ratio(Ratio::percent(80)).fallback(5);
        assert!(!most.is_due(&burst(30, 20, 0, 20)), "two thirds");
        assert!(most.is_due(&burst(100, 96, 0, 20)));
        assert!(
            !Trip::ratio(Ratio::percent(10)).is_due(&burst(19, 19, 0, 19)),
            "few"
        );
    }

    #[test]
    fn a_warm_up_minds_slow_calls_and_leaves_a_consecutive_run_alone() {
        let slow = Trip::slow(Ratio::percent(50)).min_calls(10);
        assert!(!slow.is_due(&burst(10, 0, 9, 0)));
        assert!(slow.is_due(&burst(10, 0, 10, 0)));
        let either = Trip::default().or(Trip::consecutive(10));
        assert!(either.is_due(&burst(100, 10, 0, 10)));
    }

    #[test]
    fn the_default_has_a_warm_up_and_no_other_trip() {
        let second = Duration::from_secs(1);
        let built = Trip::ratio(Ratio::percent(50)).fallback(5);
        assert_eq!(built.warm_up, Duration::ZERO);
        assert_eq!(built.warm_up(second), Trip::default());
        assert_eq!(Trip::consecutive(3).or(Trip::default()).warm_up, second);
        assert_eq!(built.or(Trip::default()).warm_up, Duration::ZERO);
    }

    #[test]
    fn what_is_recent_is_all_of_the_warm_up_and_at_most_a_quarter_of_the_window() {
        let step = 625_000_000;
        let steps = |millis| {
            let time = Duration::from_millis(millis);
            Trip::default().warm_up(time).recent_steps(step, 16)
        };
        // One more than whole steps, for it begins within one.
        assert_eq!(
            [0, 1, 625, 626, 1_000, 1_250].map(steps),
            [0, 2, 2, 3, 3, 3]
        );
        assert_eq!([1_251, 1_875, 1_876, 10_000, u64::MAX].map(steps), [4; 5]);
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
