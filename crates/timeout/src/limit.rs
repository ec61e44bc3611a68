use std::time::Duration;

use tokio::time::Instant;

/// How long something may take, or that it may take for ever: [`Duration::MAX`].
///
/// Kept in one word, in half the room of a `Duration` (every call carries several): seconds above,
/// nanoseconds below. More than 30 years are 30 years, as for a deadline; `Duration::MAX` and what
/// comes near it, from 584 years, is for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Limit(u64);

const FAR: Duration = Duration::from_secs(30 * 365 * 24 * 60 * 60);

impl Limit {
    pub(crate) const NONE: Self = Self(u64::MAX);

    pub(crate) const fn new(duration: Duration) -> Self {
        if duration.as_nanos() >= u64::MAX as u128 {
            Self::NONE
        } else if duration.as_secs() >= FAR.as_secs() {
            Self(FAR.as_secs() << 32)
        } else {
            Self(duration.as_secs() << 32 | duration.subsec_nanos() as u64)
        }
    }

    #[inline]
    pub(crate) fn is_none(self) -> bool {
        self == Self::NONE
    }

    #[inline]
    pub(crate) const fn duration(self) -> Duration {
        Duration::new(self.0 >> 32, self.0 as u32)
    }

    /// The instant at which what began at `start` has taken too long; `None` when it never has.
    #[inline]
    pub(crate) fn after(self, start: Instant) -> Option<Instant> {
        if self.is_none() {
            return None;
        }
        Some(start.checked_add(self.duration()).unwrap_or(start))
    }
}

#[cfg(test)]
mod tests {
    use outrigger_core::Deadline;

    use super::*;

    #[test]
    fn only_for_ever_never_ends() {
        let now = Instant::now();
        assert_eq!(Limit::new(Duration::MAX).after(now), None);
        assert_eq!(Limit::new(Duration::ZERO).after(now), Some(now));
        let second = Duration::from_secs(1);
        assert_eq!(Limit::new(second).after(now), Some(now + second));
        assert_eq!(Limit::new(second).duration(), second);
        let odd = Duration::new(u64::from(u32::MAX) / 8, 999_999_999);
        assert_eq!(Limit::new(odd).duration(), odd);
        let long = Limit::new(Duration::from_nanos(u64::MAX - 1));
        assert!(long < Limit::NONE && Limit::new(odd) < long);
        assert_eq!(
            long.after(now),
            Some(Deadline::after(now, Duration::MAX).instant())
        );
    }
}
