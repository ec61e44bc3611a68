use tokio::time::Instant;

/// When somebody has promised to come back to an endpoint.
#[derive(Debug, Default)]
pub(super) struct Alarms(Vec<Instant>);

impl Alarms {
    /// Whether one more is to be set for this time: nobody comes sooner. Who should have come before
    /// `now` may never come, as its runtime has ended.
    pub(super) fn set(&mut self, at: Instant, now: Instant) -> bool {
        self.ring(now);
        let is_needed = self.0.iter().all(|alarm| *alarm > at);
        if is_needed {
            self.0.push(at);
        }
        is_needed
    }

    /// One or more have gone off.
    pub(super) fn ring(&mut self, now: Instant) {
        self.0.retain(|alarm| *alarm > now);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn none_is_set_when_another_goes_off_sooner_and_none_twice() {
        let mut alarms = Alarms::default();
        let now = Instant::now();
        let (soon, late) = (now + Duration::from_secs(1), now + Duration::from_secs(2));
        assert!(alarms.set(late, now) && !alarms.set(late, now));
        assert!(alarms.set(soon, now) && !alarms.set(late, now));
        alarms.ring(soon);
        assert!(!alarms.set(late, soon), "it is set already");
        alarms.ring(late);
        assert!(alarms.is_empty());
    }

    #[test]
    fn one_that_does_not_go_off_keeps_none_from_being_set_later() {
        let mut alarms = Alarms::default();
        let now = Instant::now();
        let (lost, later) = (now + Duration::from_secs(1), now + Duration::from_secs(9));
        assert!(alarms.set(lost, now));
        assert!(alarms.set(later, lost), "nobody has come, nor will");
    }
}
