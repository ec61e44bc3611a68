use std::sync::Arc;

use outrigger_core::Verdict;
use outrigger_core::call::{self, Dispatch};
use tokio::time::Instant;

use crate::Open;
use crate::circuit::{Admission, Receipt};
use crate::entry::Entry;

/// A call on its way through a circuit. Dropped unfinished, it was cancelled, or has panicked.
#[derive(Debug)]
pub(crate) struct Guard {
    entry: Arc<Entry>,
    stage: Stage,
    progress: Progress,
    /// Whether the inner service is at work: an end in the meantime is a panic of it.
    within: bool,
}

/// What the circuit knows of the call.
#[derive(Clone, Copy, Debug)]
enum Stage {
    /// Nothing, or all that it will.
    Aside,
    /// It let it through.
    Out(Admission),
    /// It counted it as a success, which may turn out to be none.
    Counted(Admission, Receipt),
}

/// How far the call has got.
#[derive(Clone, Copy, Debug)]
enum Progress {
    /// It waits, in the transport or in a layer above that.
    Held,
    /// It was called, and as far as is known dispatched, at this instant: none where nobody asks for it.
    Under(Option<Instant>),
}

impl Guard {
    #[inline(always)]
    pub(crate) fn new(entry: Arc<Entry>) -> Self {
        Self {
            entry,
            stage: Stage::Aside,
            progress: Progress::Under(None),
            within: false,
        }
    }

    /// Refuses the call, or says that it would be admitted now.
    #[inline]
    pub(crate) fn check(&self) -> Result<(), Open> {
        self.entry.check()
    }

    /// Lets the call through, or refuses it.
    #[inline]
    pub(crate) fn admit(&mut self) -> Result<(), Open> {
        self.stage = Stage::Out(self.entry.admit()?);
        self.progress = Progress::Under(self.entry.starts());
        Ok(())
    }

    /// Runs the inner service.
    #[inline(always)]
    pub(crate) fn run<R>(&mut self, inner: impl FnOnce() -> R) -> R {
        self.within = true;
        let result = inner();
        self.within = false;
        result
    }

    /// Whether the call, which may go on to be dispatched now, is refused after all: its circuit has
    /// changed its state while it was held back below, and admits no other.
    #[inline]
    pub(crate) fn recall(&mut self) -> Result<(), Open> {
        match (self.progress, self.stage) {
            (Progress::Held, Stage::Out(admission)) if self.entry.has_turned(admission) => {
                // An admission to a state that has passed: there is nothing to give back.
                self.stage = Stage::Aside;
                self.admit()
            }
            _ => Ok(()),
        }
    }

    /// Looks how far the call has got, after a poll that left it pending.
    #[inline]
    pub(crate) fn look(&mut self) {
        let Some(call) = call::current() else {
            return;
        };
        match (call.dispatch(), self.progress) {
            (Dispatch::Waiting, _) => self.progress = Progress::Held,
            (Dispatch::Sent(at), Progress::Under(Some(since))) if at <= since => {}
            (Dispatch::Sent(at), _) => self.dispatched(at),
            (_, Progress::Held) => self.dispatched(Instant::now()),
            _ => {}
        }
    }

    /// The call is judged.
    #[inline(always)]
    pub(crate) fn finish(&mut self, verdict: Verdict, now: Instant) {
        if let Stage::Out(admission) = self.stage {
            let receipt = self.entry.report(admission, verdict, now);
            self.stage = receipt.map_or(Stage::Aside, |receipt| Stage::Counted(admission, receipt));
        }
    }

    /// A call that was counted as a success was one to its end, or has failed after all.
    #[inline(always)]
    pub(crate) fn settle(&mut self, failed: bool) {
        if let Stage::Counted(admission, receipt) = self.stage {
            self.stage = Stage::Aside;
            match failed {
                false => self.entry.complete(admission),
                true => self.entry.correct(admission, receipt, Instant::now()),
            }
        }
    }

    /// Whether the call was let through and is not judged yet.
    #[inline]
    pub(crate) fn is_out(&self) -> bool {
        matches!(self.stage, Stage::Out(_))
    }

    /// Whether there is nothing left to say.
    #[inline]
    pub(crate) fn is_aside(&self) -> bool {
        matches!(self.stage, Stage::Aside)
    }

    /// A verdict, or that the call was slow: a success that was, or an end that was not the peer's
    /// doing but came after it had had time enough.
    #[inline(always)]
    pub(crate) fn weigh(&self, verdict: Verdict, impatient: bool, now: Instant) -> Verdict {
        let may_be_slow = match verdict {
            Verdict::Success => true,
            Verdict::Neutral => impatient,
            Verdict::Slow | Verdict::Failure => false,
        };
        match self.progress {
            Progress::Under(Some(since)) if may_be_slow && self.entry.is_slow(since, now) => {
                Verdict::Slow
            }
            _ => verdict,
        }
    }

    fn dispatched(&mut self, at: Instant) {
        self.progress = Progress::Under(Some(at));
        if let Stage::Out(admission) = self.stage
            && admission.probe.is_some()
        {
            self.entry.dispatched(admission, at);
        }
    }
}

impl Drop for Guard {
    #[inline]
    fn drop(&mut self) {
        if self.is_out() {
            let now = Instant::now();
            let verdict = match self.within {
                true => Verdict::Failure,
                false => self.weigh(Verdict::Neutral, true, now),
            };
            self.finish(verdict, now);
        }
    }
}
