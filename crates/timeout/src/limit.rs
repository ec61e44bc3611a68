use std::time::Duration;

use outrigger_core::Deadline;
use tokio::time::Instant;

/// How long something may take, or that it may take for ever: [`Duration::MAX`].
///
/// Kept in nanoseconds, in half the room of a `Duration`: every call carries several. What does not
/// fit, 584 years, is for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Limit(u64);

impl Limit {
    pub(crate) const NONE: Self = Self(u64::MAX);

    pub(crate) const fn new(duration: Duration) -> Self {
        let nanos = duration.as_nanos();
        if nanos < u64::MAX as u128 {
            Self(nanos as u64)
        } else {
            Self::NONE
        }
    }

    pub(crate) fn is_none(self) -> bool {
        self == Self::NONE
    }

    pub(crate) const fn duration(self) -> Duration {
        Duration::from_nanos(self.0)
    }

    /// The instant at which what began at `start` has taken too long; `None` when it never has.
    pub(crate) fn after(self, start: Instant) -> Option<Instant> {
        if self.is_none() {
            return None;
        }
        Some(Deadline::after(start, self.duration()).instant())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_for_ever_never_ends() {
        let now = Instant::now();
        assert_eq!(Limit::new(Duration::MAX).after(now), None);
        assert_eq!(Limit::new(Duration::ZERO).after(now), Some(now));
        let second = Duration::from_secs(1);
        assert_eq!(Limit::new(second).after(now), Some(now + second));
        assert_eq!(Limit::new(second).duration(), second);
        let long = Limit::new(Duration::from_nanos(u64::MAX - 1));
        assert!(long.after(now).is_some() && long < Limit::NONE);
    }
}
