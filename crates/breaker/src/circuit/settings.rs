use std::time::Duration;

use outrigger_core::{Exponential, Jitter, Verdict};

use super::Trip;

/// What the circuits of one layer go by. Times are in nanoseconds.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) trip: Trip,
    /// How long a step of the window is.
    pub(crate) step: u64,
    /// How many of its last steps hold what is recent.
    pub(crate) recent: u64,
    pub(crate) open: Exponential,
    pub(crate) open_at_most: u64,
    pub(crate) probes: u32,
    pub(crate) lease: u64,
    pub(crate) ramp: u64,
}

impl Settings {
    pub(crate) fn new(
        trip: Trip,
        open: (Duration, Duration),
        probes: u32,
        lease: Duration,
        ramp: Duration,
        buckets: usize,
    ) -> Self {
        let (open_for, open_at_most) = open;
        let open = Exponential::new(open_for, open_at_most).jitter(Jitter::None);
        let buckets = buckets as u64;
        let step = (nanos(trip.span()) / buckets).max(1);
        Self {
            trip,
            step,
            recent: trip.recent_steps(step, buckets),
            open_at_most: nanos(open.pause(u32::MAX, 0)),
            open,
            probes: probes.max(1),
            lease: nanos(lease),
            ramp: nanos(ramp),
        }
    }

    /// Whether a verdict is held against the peer.
    pub(crate) fn is_bad(&self, verdict: Verdict) -> bool {
        match verdict {
            Verdict::Failure => true,
            Verdict::Slow => self.trip.minds_slow(),
            Verdict::Success | Verdict::Neutral => false,
        }
    }

    /// How long a circuit stays open that has opened so many times in a row, the first as 0: give or
    /// take a fifth, so that those that opened together do not probe together.
    pub(crate) fn open_time(&self, openings: u32, die: u64) -> u64 {
        let time = nanos(self.open.pause(openings, 0));
        let share = (u128::from(time / 5 * 2) * u128::from(die)) >> 64;
        time - time / 5 + share as u64
    }
}

/// A duration in nanoseconds; 500 years are as good as for ever.
#[inline]
pub(crate) fn nanos(duration: Duration) -> u64 {
    let seconds = duration.as_secs().min(500 * 365 * 24 * 60 * 60);
    seconds * 1_000_000_000 + u64::from(duration.subsec_nanos())
}
