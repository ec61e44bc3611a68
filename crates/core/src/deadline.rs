use std::time::Duration;

use tokio::time::Instant;

/// No instant lies further ahead than this: 30 years, near the longest sleep that tokio's clock
/// takes without overflow.
const FAR: Duration = Duration::from_secs(30 * 365 * 24 * 60 * 60);

/// The instant after which nobody wants the answer to a call.
///
/// In a request's extensions it is the caller's wish for that one call. It is set once and only ever
/// shortened on the way down.
///
/// ```
/// use std::time::Duration;
/// use outrigger_core::Deadline;
/// use tokio::time::Instant;
///
/// let now = Instant::now();
/// let deadline = Deadline::after(now, Duration::from_secs(3));
/// assert_eq!(deadline.remaining(now + Duration::from_secs(1)), Duration::from_secs(2));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Deadline(Instant);

impl Deadline {
    /// The deadline at an instant.
    pub fn at(instant: Instant) -> Self {
        Self(instant)
    }

    /// The deadline `patience` after `now`. Patience beyond 30 years counts as 30 years.
    pub fn after(now: Instant, patience: Duration) -> Self {
        Self(now.checked_add(patience.min(FAR)).unwrap_or(now))
    }

    /// The deadline `patience` from now, by tokio's clock.
    pub fn within(patience: Duration) -> Self {
        Self::after(Instant::now(), patience)
    }

    /// The earlier of two deadlines, either of which may be absent.
    pub fn earliest(one: Option<Self>, other: Option<Self>) -> Option<Self> {
        match (one, other) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        }
    }

    /// The instant itself.
    pub fn instant(self) -> Instant {
        self.0
    }

    /// What is left of it at `now`; nothing once it has passed.
    pub fn remaining(self, now: Instant) -> Duration {
        self.0.saturating_duration_since(now)
    }

    /// Whether it has passed at `now`.
    pub fn has_passed(self, now: Instant) -> bool {
        self.0 <= now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_patience_overflows() {
        let now = Instant::now();
        assert_eq!(Deadline::after(now, Duration::MAX).remaining(now), FAR);
        assert!(Deadline::after(now, Duration::ZERO).has_passed(now));
    }

    #[test]
    fn the_earliest_of_two_stands_and_absence_yields() {
        let now = Instant::now();
        let (soon, late) = (
            Deadline::at(now),
            Deadline::after(now, Duration::from_secs(1)),
        );
        assert_eq!(Deadline::earliest(Some(late), Some(soon)), Some(soon));
        assert_eq!(Deadline::earliest(None, Some(late)), Some(late));
        assert_eq!(Deadline::earliest(None, None), None);
    }
}
