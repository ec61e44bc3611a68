use std::time::Duration;

use outrigger_core::call::{self, Call, Dispatch};
use outrigger_core::{BoxError, Deadline, Elapsed, Phase};
use tokio::time::Instant;

use super::limits::Limits;
use crate::patience::after;
use crate::progress::Turn;

/// The clocks of one attempt. It is told the time, and says when to look again.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attempt {
    limits: Limits,
    deadline: Option<Deadline>,
    called: Instant,
    looked: Instant,
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
const GRAIN: Duration = Duration::from_millis(1);

impl Attempt {
    pub(super) const fn new(limits: Limits, deadline: Option<Deadline>, now: Instant) -> Self {
        Self {
            limits,
            deadline,
            called: now,
            looked: now,
        }
    }

    /// The inner service is called now.
    pub(super) fn begin(&mut self, now: Instant) {
        self.called = now;
        self.looked = now;
    }

    /// The request body was looked at now.
    pub(super) fn look(&mut self, now: Instant) {
        self.looked = now;
    }

    /// The longest pause within the response body.
    pub(super) const fn body_idle(&self) -> Duration {
        self.limits.body_idle
    }

    /// Whether it matters how far the request body has got.
    pub(super) fn watches_upload(&self) -> bool {
        self.limits.attempt != Duration::MAX || self.limits.write_idle != Duration::MAX
    }

    /// Whose turn it is with a body that nobody watches: over since the call.
    pub(super) const fn without_upload(&self) -> Turn {
        Turn::Over(self.called)
    }

    /// Whether too little is left of the deadline to begin.
    pub(super) fn is_too_late(&self, now: Instant) -> bool {
        self.deadline.is_some_and(|deadline| {
            let left = deadline.remaining(now);
            left.is_zero() || left < self.limits.shortest
        })
    }

    /// What is left for an attempt that begins now, for the server to know. `None` where nothing
    /// bounds it.
    pub(super) fn left(&self, now: Instant) -> Option<Duration> {
        let deadline = self.deadline.map(|deadline| deadline.remaining(now));
        let limit = (self.limits.attempt != Duration::MAX).then_some(self.limits.attempt);
        [deadline, limit].into_iter().flatten().min()
    }

    /// The next instant at which anything is due, whatever happens until then.
    ///
    /// `Turn::Caller` and `Turn::Transport` may become `Turn::Over` at any moment after `looked`,
    /// without a wake-up: a limit that began then ends no earlier than one that begins at `looked`.
    pub(super) fn alarm(&self, dispatch: Dispatch, upload: Turn) -> Option<Alarm> {
        let Limits {
            attempt,
            write_idle,
            ..
        } = self.limits;
        let start = match dispatch {
            Dispatch::Waiting => return self.deadline_alarm(),
            Dispatch::Sent(at) => at,
            _ => self.called,
        };
        let look = |pause: Duration| Alarm::at(self.looked, pause.max(GRAIN), Due::Look);
        let end = |since: Instant, limit: Duration, phase: Phase| {
            Alarm::at(since.max(start), limit, Due::End(phase))
        };
        let alarms = match upload {
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

    /// The error that is due when `phase` has taken too long.
    pub(super) fn elapsed(&self, phase: Phase, call: &Call) -> Elapsed {
        match phase {
            Phase::Attempt => Elapsed::new(phase, self.limits.attempt),
            Phase::WriteIdle => Elapsed::new(phase, self.limits.write_idle),
            _ if call.may_have_sent() => Elapsed::new(phase, call.patience()),
            _ => Elapsed::new(phase, call.patience()).unsent(),
        }
    }

    /// The error of an attempt that does not begin.
    pub(super) fn too_late(&self) -> BoxError {
        let call = call::current().unwrap_or_default();
        self.elapsed(Phase::Total, &call).into()
    }

    fn deadline_alarm(&self) -> Option<Alarm> {
        self.deadline.map(|deadline| Alarm {
            at: deadline.instant(),
            due: Due::End(Phase::Total),
        })
    }
}

impl Alarm {
    fn at(since: Instant, limit: Duration, due: Due) -> Option<Self> {
        after(since, limit).map(|at| Self { at, due })
    }
}
