use std::time::Duration;

use outrigger_core::call::{self, Call, Dispatch};
use outrigger_core::{BoxError, Deadline, Elapsed, Phase};
use tokio::time::Instant;

use super::limits::Limits;
use crate::limit::Limit;
use crate::progress::Turn;

/// The clocks of one attempt. It is told the time, and says when to look again.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attempt {
    limits: Limits,
    deadline: Option<Deadline>,
    begun: Option<Instant>,
}

/// What is due at an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Alarm {
    pub(super) at: Instant,
    pub(super) due: Due,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// This phase has taken too long.
    End(Phase),
    /// The request body may have moved on in the meantime.
    Look,
}

/// The timer's grain: looking more often than that gains nothing.
const GRAIN: Limit = Limit::new(Duration::from_millis(1));

impl Attempt {
    /// An attempt that has not begun, and does not outlive the deadline.
    #[inline]
    pub(super) const fn new(limits: Limits, deadline: Option<Deadline>) -> Self {
        Self {
            limits,
            deadline,
            begun: None,
        }
    }

    /// It is found unanswered, for the first time at `now`: from then on it is waited for.
    pub(super) fn begin(&mut self, now: impl FnOnce() -> Instant) -> Instant {
        *self.begun.get_or_insert_with(now)
    }

    /// How long its parts may take.
    #[inline]
    pub(super) const fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Whether too little is left of the deadline to begin at `now`.
    pub(super) fn is_too_late(&self, now: Instant) -> bool {
        let deadline = self.deadline;
        deadline.is_some_and(|deadline| self.limits.leave_none(deadline, now))
    }

    /// What is left for an attempt that begins now, for the server to know. `None` where nothing
    /// bounds it.
    pub(super) fn left(&self, now: Instant) -> Option<Duration> {
        let end = self.limits.attempt.after(now).map(Deadline::at);
        Deadline::earliest(end, self.deadline).map(|end| end.remaining(now))
    }

    /// The next instant at which anything is due, whatever happens until then. `upload` says whose turn
    /// it is with the request body, and when it was `looked` at; a request without one is taken whole.
    ///
    /// The body's turn may change at any moment after `looked`, without a wake-up: but a limit that
    /// began to count then ends no earlier than one that counts from `looked`.
    pub(super) fn alarm(
        &self,
        dispatch: Dispatch,
        upload: Option<(Turn, Instant)>,
    ) -> Option<Alarm> {
        let Limits {
            attempt,
            write_idle,
            ..
        } = self.limits;
        let start = match dispatch {
            Dispatch::Waiting => return self.deadline_alarm(),
            Dispatch::Sent(at) => at,
            _ => self.begun?,
        };
        let (turn, looked) = upload.unwrap_or((Turn::Over(start), start));
        let look = |pause: Limit| Alarm::at(looked, pause.max(GRAIN), Due::Look);
        let end = |since: Instant, limit: Limit, phase: Phase| {
            Alarm::at(since.max(start), limit, Due::End(phase))
        };
        let alarms = match turn {
            Turn::Over(since) => [end(since, attempt, Phase::Attempt), None],
            Turn::Transport(since) => [end(since, write_idle, Phase::WriteIdle), look(attempt)],
            Turn::Caller => [look(attempt.min(write_idle)), None],
        };
        let first = alarms.into_iter().flatten().min_by_key(|alarm| alarm.at);
        match (first, self.deadline_alarm()) {
            (Some(first), Some(deadline)) if first.at < deadline.at => Some(first),
            (first, deadline) => deadline.or(first),
        }
    }

    /// The error that is due when `phase` has taken too long. Without the Call nobody knows what was
    /// sent.
    pub(super) fn elapsed(&self, phase: Phase, call: Option<Call>) -> Elapsed {
        match phase {
            Phase::Attempt => Elapsed::new(phase, self.limits.attempt.duration()),
            Phase::WriteIdle => Elapsed::new(phase, self.limits.write_idle.duration()),
            _ if call.is_none_or(|call| call.may_have_sent()) => {
                Elapsed::new(phase, self.patience(call))
            }
            _ => Elapsed::new(phase, self.patience(call)).unsent(),
        }
    }

    /// The error of an attempt that does not begin.
    pub(super) fn too_late(&self) -> BoxError {
        self.elapsed(Phase::Total, call::current()).into()
    }

    /// How long the whole call may take, as far as that is known here.
    fn patience(&self, call: Option<Call>) -> Duration {
        let whole = call.filter(|call| call.deadline() == self.deadline);
        let own = self
            .deadline
            .zip(self.begun)
            .map(|(deadline, begun)| deadline.remaining(begun));
        whole
            .map(|call| call.patience())
            .or(own)
            .unwrap_or_default()
    }

    fn deadline_alarm(&self) -> Option<Alarm> {
        self.deadline.map(|deadline| Alarm {
            at: deadline.instant(),
            due: Due::End(Phase::Total),
        })
    }
}

impl Alarm {
    fn at(since: Instant, limit: Limit, due: Due) -> Option<Self> {
        limit.after(since).map(|at| Self { at, due })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn limits(attempt: Limit, write_idle: Limit) -> Limits {
        let (body_idle, shortest) = (Limit::NONE, Limit::new(Duration::from_millis(10)));
        Limits {
            attempt,
            body_idle,
            write_idle,
            shortest,
        }
    }

    fn begun(limits: Limits, now: Instant, deadline: Option<Deadline>) -> Attempt {
        let mut attempt = Attempt::new(limits, deadline);
        attempt.begin(|| now);
        attempt
    }

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    /// Zero, a number of milliseconds, or for ever.
    fn any_limit() -> impl Strategy<Value = Limit> {
        prop_oneof![
            Just(Limit::NONE),
            (0..5_000_u64).prop_map(|millis| Limit::new(ms(millis))),
        ]
    }

    #[test]
    fn while_it_waits_only_the_deadline_counts() {
        let now = Instant::now();
        let short = limits(Limit::new(ms(1)), Limit::new(ms(1)));
        let attempt = begun(short, now, None);
        assert_eq!(attempt.alarm(Dispatch::Waiting, None), None);
        let attempt = begun(short, now, Some(Deadline::after(now, ms(9))));
        let total = Alarm {
            at: now + ms(9),
            due: Due::End(Phase::Total),
        };
        assert_eq!(attempt.alarm(Dispatch::Waiting, None), Some(total));
    }

    #[test]
    fn the_deadline_takes_the_blame_for_a_tie() {
        let now = Instant::now();
        let limits = limits(Limit::new(ms(5)), Limit::NONE);
        let attempt = begun(limits, now, Some(Deadline::after(now, ms(5))));
        let alarm = attempt.alarm(Dispatch::Unreported, None);
        assert_eq!(alarm.map(|alarm| alarm.due), Some(Due::End(Phase::Total)));
    }

    proptest! {
        /// The plain model: a body is taken frame by frame; how and when does the attempt end?
        #[test]
        fn following_the_alarms_ends_an_attempt_when_it_should_end(
            attempt_limit in any_limit(),
            write_idle in any_limit(),
            deadline in proptest::option::of(0..20_000_u64),
            dispatched in proptest::option::of(0..3_000_u64),
            pauses in proptest::collection::vec((any::<bool>(), 1..4_000_u64), 0..5),
        ) {
            let now = Instant::now();
            let start = now + ms(dispatched.unwrap_or(0));
            let dispatch = dispatched.map_or(Dispatch::Unreported, |_| Dispatch::Sent(start));
            let deadline = deadline.map(|millis| Deadline::after(start, ms(millis)));
            let attempt = begun(limits(attempt_limit, write_idle), now, deadline);

            // Whose turn it is when: the transport's or the caller's, until all is taken.
            let mut turns = Vec::new();
            let mut at = start;
            for (transport, pause) in pauses {
                turns.push((at, if transport { Turn::Transport(at) } else { Turn::Caller }));
                at += ms(pause);
            }
            turns.push((at, Turn::Over(at)));

            let expected = {
                let stalled = turns.windows(2).find_map(|pair| match pair[0].1 {
                    Turn::Transport(since) => {
                        write_idle.after(since).filter(|end| *end < pair[1].0)
                    }
                    _ => None,
                });
                let own = match stalled {
                    Some(end) => Some((end, Phase::WriteIdle)),
                    None => attempt_limit.after(at).map(|end| (end, Phase::Attempt)),
                };
                let total = attempt.deadline.map(|total| (total.instant(), Phase::Total));
                match (own, total) {
                    (Some(own), Some(total)) if own.0 < total.0 => Some(own),
                    (own, total) => total.or(own),
                }
            };

            let (mut looked, mut clock) = (start, start);
            let ended = loop {
                let turn = turns.iter().rev().find(|(since, _)| *since <= clock);
                let turn = turn.map_or(turns[0].1, |(_, turn)| *turn);
                match attempt.alarm(dispatch, Some((turn, looked))) {
                    None => break None,
                    Some(Alarm { at, due: Due::End(phase) }) if at <= clock => break Some((clock, phase)),
                    Some(Alarm { at, due: Due::Look }) if at <= clock => looked = clock,
                    Some(Alarm { at, .. }) => clock = at,
                }
            };
            prop_assert_eq!(ended, expected);
        }

        #[test]
        fn what_is_left_is_never_more_than_any_limit(
            limit in any_limit(),
            deadline in proptest::option::of(0..5_000_u64),
            later in 0..6_000_u64,
        ) {
            let begun = Instant::now();
            let now = begun + ms(later);
            let end = deadline.map(|millis| Deadline::after(begun, ms(millis)));
            let attempt = Attempt::new(limits(limit, Limit::NONE), end);
            let rest = deadline.map(|millis| ms(millis.saturating_sub(later)));
            let own = (!limit.is_none()).then(|| limit.duration());
            prop_assert_eq!(attempt.left(now), [rest, own].into_iter().flatten().min());
            let too_late = rest.is_some_and(|rest| rest < ms(10));
            prop_assert_eq!(attempt.is_too_late(now), too_late);
        }
    }
}
