use std::time::Duration;

use tokio::time::Instant;

use super::marks::Marks;
use crate::Deadline;

/// What the layers of one logical call tell each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call {
    pub(super) marks: Marks,
    /// Marked as [`TIMED`](Marks::TIMED) where they count; else nothing of them is copied.
    pub(super) times: Option<Times>,
}

/// The instants of a Call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Times {
    pub(super) deadline: Option<Deadline>,
    /// When the deadline was set.
    since: Option<Instant>,
    dispatched: Option<Instant>,
    pub(super) timer: Option<Instant>,
}

/// How far the transport has got with the current attempt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Dispatch {
    /// The transport below does not report: time runs from the poll that finds the attempt unanswered.
    #[default]
    Unreported,
    /// The request waits, in the transport or above it, and was not handed to a connection: of this
    /// attempt nothing was sent.
    Waiting,
    /// The request was handed to a connection at this instant.
    Sent(Instant),
}

impl Times {
    pub(super) const NONE: Self = Self {
        deadline: None,
        since: None,
        dispatched: None,
        timer: None,
    };
}

impl Call {
    /// No Call: what a scope keeps that is not the outermost. (A constant would be copied whole.)
    pub(super) const fn none() -> Self {
        let (marks, times) = (Marks::NONE, None);
        Self { marks, times }
    }

    /// Shortens the deadline at `now`; a later one than the present changes nothing.
    #[inline]
    pub fn shorten(&mut self, deadline: Deadline, now: Instant) {
        let times = self.times();
        if times.deadline.is_none_or(|present| deadline < present) {
            times.deadline = Some(deadline);
            times.since = Some(now);
        }
    }

    /// Begins an attempt: counts it and forgets how far the one before had got.
    pub fn begin_attempt(&mut self) {
        self.marks = self.marks.next_attempt().forget_dispatch();
    }

    /// States that a layer above the transport holds the request back: so far nothing of this attempt
    /// was sent.
    pub fn hold(&mut self) {
        self.marks = self.marks.forget_dispatch().with(Marks::WAITING);
    }

    /// States that the request goes down now and may be sent, whether or not the transport reports.
    /// Forgets how far the attempt before had got; a layer further in that states the same of an
    /// attempt that was [begun](Self::begin_attempt) and launched further out adds nothing.
    pub fn launch(&mut self) {
        self.marks = self.marks.launch();
    }

    /// Reports how far the transport has got with the request.
    pub fn report(&mut self, dispatch: Dispatch) {
        let marks = self.marks.without(Marks::REPORTED);
        self.marks = match dispatch {
            Dispatch::Unreported => marks,
            Dispatch::Waiting => marks.with(Marks::WAITING),
            Dispatch::Sent(at) => {
                self.times().dispatched = Some(at);
                let marks = marks.with(Marks::TIMED);
                marks.with(Marks::DISPATCHED).with(Marks::SENT)
            }
        };
    }

    /// States the instant at which a timer below will wake this task, or that there is none.
    pub fn set_timer(&mut self, at: Option<Instant>) {
        if at.is_some() || self.times.is_some() {
            self.times().timer = at;
        }
    }

    /// States that the server is known to honour this call's idempotency key.
    pub fn honour_key(&mut self) {
        self.mark(Marks::KEY_HONOURED);
    }

    /// States that the key was dropped on the way to another origin, where nobody honours it.
    pub fn drop_key(&mut self) {
        self.marks = self.marks.without(Marks::KEY_HONOURED);
    }

    /// States whether the layer whose inner service is called or polled now sends the request again
    /// when need be.
    pub fn set_repeated(&mut self, repeated: bool) {
        self.marks = self.marks.without(Marks::REPEATED);
        if repeated {
            self.mark(Marks::REPEATED);
        }
    }

    /// The instant after which nobody wants the answer.
    pub fn deadline(&self) -> Option<Deadline> {
        self.times.and_then(|times| times.deadline)
    }

    /// How long the call was allowed to take when its deadline was set; zero without a deadline.
    pub fn patience(&self) -> Duration {
        match self.times {
            Some(Times {
                deadline: Some(deadline),
                since: Some(since),
                ..
            }) => deadline.remaining(since),
            _ => Duration::ZERO,
        }
    }

    /// Whether this call may have sent anything, in this attempt or in one before. Where it is
    /// `false`, a layer [launched](Self::launch) nothing and no transport reported a dispatch.
    pub fn may_have_sent(&self) -> bool {
        self.marks.may_have_sent()
    }

    /// How far the transport has got with the current attempt.
    pub fn dispatch(&self) -> Dispatch {
        match self.times.and_then(|times| times.dispatched) {
            _ if self.marks.has(Marks::WAITING) => Dispatch::Waiting,
            Some(at) if self.marks.has(Marks::DISPATCHED) => Dispatch::Sent(at),
            _ => Dispatch::Unreported,
        }
    }

    /// The instant at which a timer below wakes this task.
    pub fn timer(&self) -> Option<Instant> {
        self.times.and_then(|times| times.timer)
    }

    /// The ordinal of the current attempt, from 1; 0 where nothing counts attempts.
    pub fn attempt(&self) -> u32 {
        self.marks.attempt()
    }

    /// Whether the server is known to honour this call's idempotency key.
    pub fn key_honoured(&self) -> bool {
        self.marks.has(Marks::KEY_HONOURED)
    }

    /// Whether a layer further out sends the request again when need be: one further in leaves it to
    /// that one, or attempts would multiply.
    pub fn is_repeated(&self) -> bool {
        self.marks.has(Marks::REPEATED)
    }

    /// A Call of its own with the same deadline.
    pub(super) fn anew(&self) -> Self {
        let mut call = Self::default();
        if let Some(Times {
            deadline, since, ..
        }) = self.times
        {
            let times = call.times();
            (times.deadline, times.since) = (deadline, since);
        }
        call
    }

    /// Its instants, from now on.
    fn times(&mut self) -> &mut Times {
        self.marks = self.marks.with(Marks::TIMED);
        self.times.get_or_insert(Times::NONE)
    }

    fn mark(&mut self, mark: Marks) {
        self.marks = self.marks.with(mark);
    }
}

impl Default for Call {
    /// A Call that has just begun.
    fn default() -> Self {
        Self {
            marks: Marks::BEGUN,
            times: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_was_dropped_is_not_honoured() {
        let mut call = Call::default();
        call.honour_key();
        assert!(call.key_honoured());
        call.drop_key();
        assert!(!call.key_honoured());
    }

    #[test]
    fn a_deadline_is_only_ever_shortened() {
        let now = Instant::now();
        let mut call = Call::default();
        for seconds in [2, 1, 3] {
            call.shorten(Deadline::after(now, Duration::from_secs(seconds)), now);
        }
        let second = Duration::from_secs(1);
        assert_eq!(call.deadline(), Some(Deadline::after(now, second)));
        assert_eq!(call.patience(), second);
    }

    #[test]
    fn an_attempt_that_two_layers_launch_is_one() {
        let mut call = Call::default();
        call.begin_attempt();
        call.launch();
        call.launch();
        assert!(call.may_have_sent(), "a transport that does not report");
        call.report(Dispatch::Waiting);
        assert!(!call.may_have_sent(), "one that does, and waits");

        let mut call = Call::default();
        call.launch();
        call.launch();
        call.report(Dispatch::Waiting);
        assert!(call.may_have_sent(), "two attempts that nobody counts");
    }

    #[test]
    fn what_one_attempt_may_have_sent_the_next_does_not_undo() {
        let mut call = Call::default();
        assert!(!call.may_have_sent());
        call.hold();
        call.launch();
        call.report(Dispatch::Waiting);
        call.begin_attempt();
        assert!(!call.may_have_sent(), "no attempt got beyond waiting");
        call.launch();
        assert!(call.may_have_sent(), "a transport that does not report");
        call.hold();
        assert!(call.may_have_sent(), "the attempt before");

        let mut call = Call::default();
        call.report(Dispatch::Sent(Instant::now()));
        call.report(Dispatch::Waiting);
        assert!(call.may_have_sent(), "reported, although never launched");
    }
}
