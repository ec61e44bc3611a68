use std::time::Duration;

use tokio::time::Instant;

/// How long an endpoint is left alone at first.
const FIRST: Duration = Duration::from_secs(1);

/// How long at most, however often it asks for it.
const LONGEST: Duration = Duration::from_secs(30);

/// A time in which no connection is opened to an endpoint. It doubles while the reasons for it come
/// one soon after the other.
#[derive(Debug, Default)]
pub(super) struct Rest {
    until: Option<Instant>,
    length: Duration,
    /// Whether the server asked for it, or another connection is no more than welcome.
    asked: bool,
}

impl Rest {
    /// Begins a rest; `asked` when the server asked for less.
    pub(super) fn begin(&mut self, asked: bool, now: Instant) {
        let soon = self
            .until
            .is_some_and(|until| now < until + self.length * 2);
        self.length = if soon {
            (self.length * 2).min(LONGEST)
        } else {
            FIRST
        };
        self.until = Some(now + self.length);
        self.asked = asked || (soon && self.asked);
    }

    /// When the rest is over, if it is not. One that the server did not ask for is nothing to an
    /// endpoint that has no other connection (`alone`).
    pub(super) fn until(&self, alone: bool, now: Instant) -> Option<Instant> {
        let until = self.until.filter(|until| *until > now)?;
        (self.asked || !alone).then_some(until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rests_double_up_to_a_limit_and_begin_anew_after_a_calm_time() {
        let mut rest = Rest::default();
        let mut now = Instant::now();
        assert_eq!(rest.until(false, now), None);
        for seconds in [1, 2, 4, 8, 16, 30, 30] {
            rest.begin(true, now);
            let until = rest.until(true, now).unwrap();
            assert_eq!((until - now).as_secs(), seconds);
            assert_eq!(rest.until(true, until), None);
            now = until;
        }
        now += LONGEST * 2;
        rest.begin(true, now);
        assert_eq!(rest.until(true, now), Some(now + FIRST));
    }

    #[test]
    fn what_no_server_asked_for_binds_only_those_who_have_another_connection() {
        let mut rest = Rest::default();
        let now = Instant::now();
        rest.begin(false, now);
        assert_eq!(rest.until(false, now), Some(now + FIRST));
        assert_eq!(rest.until(true, now), None);
    }
}
