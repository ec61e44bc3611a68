/// The shares of calls, in percent, that pass in each third of a ramp.
const SHARES: [u64; 3] = [10, 25, 50];

/// At least so often as the probes' number passes, per slice.
const SLICE: u64 = 1_000_000_000;

/// The way back to full traffic: a share of the calls that grows, and of any second at least as many
/// as there were probes.
#[derive(Clone, Debug)]
pub(crate) struct Ramp {
    since: u64,
    slice: u64,
    seen: u64,
    passed: u64,
}

impl Ramp {
    pub(crate) fn new(now: u64) -> Self {
        Self {
            since: now,
            slice: 0,
            seen: 0,
            passed: 0,
        }
    }

    /// When it ends.
    pub(crate) fn end(&self, length: u64) -> u64 {
        self.since.saturating_add(length)
    }

    /// Whether one more call passes. Counted are only those that are [`taken`](Self::take).
    pub(crate) fn passes(&self, now: u64, length: u64, floor: u32) -> bool {
        let (seen, passed) = match self.slice_of(now) == self.slice {
            true => (self.seen, self.passed),
            false => (0, 0),
        };
        let third = now.saturating_sub(self.since).saturating_mul(3) / length.max(1);
        let share = SHARES[(third as usize).min(2)];
        passed < u64::from(floor) || passed * 100 < (seen + 1) * share
    }

    /// Counts a call that passes or is refused.
    pub(crate) fn take(&mut self, now: u64, passes: bool) {
        let slice = self.slice_of(now);
        if slice != self.slice {
            (self.slice, self.seen, self.passed) = (slice, 0, 0);
        }
        self.seen += 1;
        self.passed += u64::from(passes);
    }

    /// When the next slice begins, in which calls pass again.
    pub(crate) fn next_slice(&self, now: u64) -> u64 {
        let slices = (self.slice_of(now) + 1).saturating_mul(SLICE);
        self.since.saturating_add(slices)
    }

    fn slice_of(&self, now: u64) -> u64 {
        now.saturating_sub(self.since) / SLICE
    }
}

#[cfg(all(test, not(outrigger_loom)))]
impl Ramp {
    /// How many calls it has seen in this slice.
    pub(super) fn seen(&self, now: u64) -> u64 {
        if self.slice_of(now) == self.slice {
            self.seen
        } else {
            0
        }
    }

    /// How long it has lasted, and what it has seen in this slice.
    pub(super) fn shape(&self, now: u64) -> String {
        let passed = if self.slice_of(now) == self.slice {
            self.passed
        } else {
            0
        };
        format!("{} {} {passed}", now - self.since, self.seen(now))
    }
}
