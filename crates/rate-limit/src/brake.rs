use crate::bucket::{TICK, has_gone_back};

/// The whole of the quota, in thousandths.
pub(crate) const WHOLE: u64 = 1_000;

/// How long it takes from nothing to the whole of the quota, in nanoseconds: 30 s.
const RECOVERY: u64 = 30 * 1_000_000_000;

/// What a server's answers ask for beyond the quota: to be left alone for a while, and then a slower
/// pace that recovers by itself. It is told the time, in nanoseconds.
///
/// It can only slow down: what it lets through still needs its tokens.
#[derive(Debug)]
pub(crate) struct Brake {
    /// The share of the quota at `since`, in thousandths; it grows with time.
    share: u64,
    since: u64,
    /// Nothing goes before this instant.
    next: u64,
    /// When it was pulled last.
    pulled: u64,
}

impl Brake {
    pub(crate) const fn released() -> Self {
        Self {
            share: WHOLE,
            since: 0,
            next: 0,
            pulled: 0,
        }
    }

    /// Whether it slows anything.
    pub(crate) fn is_on(&self, now: u64) -> bool {
        let slows = self.next > now || self.share(now) < WHOLE;
        slows && !has_gone_back(self.pulled, now)
    }

    /// The share of the quota that may be used, in thousandths.
    pub(crate) fn share(&self, now: u64) -> u64 {
        let recovered = now.saturating_sub(self.since) / (RECOVERY / WHOLE);
        self.share.saturating_add(recovered).min(WHOLE)
    }

    /// The instant from which on a call may go, with so many tokens before it.
    pub(crate) fn slot(&self, now: u64, before: u64, interval: u64) -> u64 {
        let pace = match self.share(now) {
            WHOLE => 0,
            _ => self.span(now, before, interval),
        };
        self.next.max(now).saturating_add(pace)
    }

    /// A call goes that costs so many tokens; `interval` is what one takes at the whole quota.
    pub(crate) fn go(&mut self, now: u64, cost: u32, interval: u64) {
        if self.share(now) < WHOLE {
            let from = self.next.max(now.saturating_sub(TICK));
            self.next = from.saturating_add(self.span(now, cost.into(), interval));
        }
    }

    /// Lets nothing go before `until`.
    pub(crate) fn hold(&mut self, now: u64, until: u64) {
        self.pull(now);
        self.next = self.next.max(until);
    }

    /// Goes on with at most this share of the quota.
    pub(crate) fn slow(&mut self, now: u64, share: u64) {
        self.pull(now);
        if share < self.share(now) {
            self.share = share;
            self.since = now;
        }
    }

    /// Goes on with half of the share, once for all calls that went before the last time. `least` is
    /// the smallest share.
    pub(crate) fn halve(&mut self, now: u64, went: u64, least: u64) {
        if went >= self.since {
            self.slow(now, (self.share(now) / 2).max(least));
        }
    }

    /// After a clock that went backwards it is released: nothing waits for the time it was yesterday.
    fn pull(&mut self, now: u64) {
        if has_gone_back(self.pulled, now) {
            *self = Self::released();
        }
        self.pulled = now;
    }

    fn span(&self, now: u64, cost: u64, interval: u64) -> u64 {
        let slowed = u128::from(interval) * u128::from(WHOLE) / u128::from(self.share(now).max(1));
        let span = slowed.saturating_mul(cost.into());
        u64::try_from(span).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn a_share_recovers_by_a_thirtieth_a_second() {
        let mut brake = Brake::released();
        assert!(!brake.is_on(0));
        brake.slow(100 * SECOND, 400);
        assert_eq!(brake.share(100 * SECOND), 400);
        assert_eq!(brake.share(103 * SECOND), 500);
        brake.slow(103 * SECOND, 700);
        assert_eq!(brake.share(103 * SECOND), 500, "it only slows down");
        assert!(brake.is_on(117 * SECOND));
        assert!(!brake.is_on(119 * SECOND));
    }

    #[test]
    fn a_slowed_pace_has_no_burst() {
        let mut brake = Brake::released();
        brake.slow(0, 500);
        assert_eq!(brake.slot(0, 0, SECOND), 0);
        brake.go(0, 1, SECOND);
        assert_eq!(brake.slot(0, 0, SECOND), 2 * SECOND);
        assert_eq!(brake.slot(0, 3, SECOND), 8 * SECOND, "behind three others");
        brake.go(2 * SECOND, 2, SECOND);
        let slowed = SECOND * 1_000 / brake.share(2 * SECOND);
        assert_eq!(brake.slot(2 * SECOND, 0, SECOND), 2 * SECOND + 2 * slowed);
    }

    #[test]
    fn at_a_slowed_pace_who_goes_a_tick_late_delays_nobody_and_a_rest_earns_no_burst() {
        let (mut brake, now) = (Brake::released(), 10 * SECOND);
        brake.slow(now, 500);
        brake.go(now, 1, SECOND);
        let due = brake.slot(now, 0, SECOND);
        brake.go(due + TICK, 1, SECOND);
        let pace = |at| SECOND * 1_000 / brake.share(at);
        assert_eq!(brake.slot(due + TICK, 0, SECOND), due + pace(due + TICK));
        let rested = due + 8 * SECOND;
        let pace = pace(rested);
        brake.go(rested, 1, SECOND);
        assert_eq!(brake.slot(rested, 0, SECOND), rested - TICK + pace);
    }

    #[test]
    fn of_two_holds_the_longer_one_counts() {
        let mut brake = Brake::released();
        brake.hold(0, 9 * SECOND);
        brake.hold(SECOND, 3 * SECOND);
        assert_eq!(brake.slot(SECOND, 0, 1), 9 * SECOND);
    }

    #[test]
    fn a_released_brake_leaves_calls_alone() {
        let mut brake = Brake::released();
        brake.go(0, 1_000, SECOND);
        assert_eq!(brake.slot(0, 1_000, SECOND), 0);
    }

    #[test]
    fn a_clock_that_went_back_a_day_releases_it() {
        let (mut brake, day) = (Brake::released(), 86_400 * SECOND);
        brake.hold(2 * day, 2 * day + 60 * SECOND);
        assert!(brake.is_on(2 * day));
        assert!(!brake.is_on(day));
        brake.hold(day, day + SECOND);
        assert_eq!(brake.slot(day, 0, 1), day + SECOND);
    }

    proptest! {
        #[test]
        fn no_value_overflows(now: u64, until: u64, share: u64, cost: u32, interval: u64, then: u64) {
            let mut brake = Brake::released();
            brake.slow(now, share);
            brake.halve(now, then, share);
            brake.hold(now, until);
            brake.go(then, cost, interval);
            prop_assert!(brake.slot(then, u64::from(cost), interval) >= then);
            prop_assert!(brake.share(then) <= WHOLE);
        }
    }
}
