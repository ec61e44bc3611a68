use std::mem;
use std::sync::Arc;

use outrigger_core::Verdict;
use tokio::time::Instant;

use crate::entry::Entry;
use crate::stage::Stage;
use crate::{Open, judge};

/// A call's account with its circuit. Dropped while the call is out, it says that nobody waits for it any
/// longer.
#[derive(Debug)]
pub(crate) struct Ticket {
    entry: Arc<Entry>,
    stage: Stage,
}

impl Ticket {
    #[inline(always)]
    pub(crate) fn new(entry: Arc<Entry>) -> Self {
        let stage = Stage::ASIDE;
        Self { entry, stage }
    }

    #[inline]
    pub(crate) fn entry(&self) -> &Entry {
        &self.entry
    }

    #[inline]
    pub(crate) fn stage(&self) -> Stage {
        self.stage
    }

    /// Lets the call through, or refuses it.
    #[inline]
    pub(crate) fn admit(&mut self) -> Result<(), Open> {
        self.entry.admit(&mut self.stage)
    }

    /// Whether it counts for nothing any longer that the circuit let the call through. Then nothing is left
    /// to be given back.
    pub(crate) fn lapse(&mut self) -> bool {
        let lapsed = self.stage.is_out() && self.entry.has_lapsed(self.stage.admission());
        if lapsed {
            self.stage = Stage::ASIDE;
        }
        lapsed
    }

    /// A probe was dispatched only now.
    pub(crate) fn dispatched(&self, at: Instant) {
        let admission = self.stage.admission();
        if self.stage.is_out() && admission.probe.is_some() {
            self.entry.dispatched(admission, at);
        }
    }

    /// Notes of a call that is still out that it has taken too long.
    pub(crate) fn note_late(&mut self) {
        if self.stage.is_out() {
            self.stage = self.stage.late();
        }
    }

    /// Counts the call as a success where that needs no thought, and says whether it did; the last word
    /// on it, where its end has come.
    #[inline(always)]
    pub(crate) fn succeed(&mut self, ended: bool, now: Instant) -> bool {
        let generation = self.stage.generation();
        let counted = match self.stage.is_out() {
            true => self.entry.succeed(generation, now),
            false => None,
        };
        let Some(receipt) = counted else {
            return false;
        };
        self.stage = match ended {
            true => Stage::ASIDE,
            false => Stage::counted(generation, receipt),
        };
        if ended {
            self.entry.complete(generation);
        }
        true
    }

    /// The call is judged.
    pub(crate) fn finish(&mut self, verdict: Verdict, now: Instant) {
        if self.stage.is_out() {
            let admission = self.stage.admission();
            let receipt = self.entry.report(admission, verdict, now);
            self.stage = receipt.map_or(Stage::ASIDE, |receipt| {
                Stage::counted(admission.generation, receipt)
            });
        }
    }

    /// A call that was counted as a success was one to its end, or has failed after all.
    pub(crate) fn settle(&mut self, failed: bool) {
        if self.stage.is_counted() {
            let stage = mem::replace(&mut self.stage, Stage::ASIDE);
            let generation = stage.generation();
            match failed {
                false => self.entry.complete(generation),
                true => {
                    let now = Instant::now();
                    self.entry.correct(generation, stage.receipt(), now);
                }
            }
        }
    }
}

impl Drop for Ticket {
    #[inline]
    fn drop(&mut self) {
        if self.stage.is_out() {
            judge::dropped(self);
        }
    }
}
