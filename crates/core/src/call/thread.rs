use std::cell::Cell;

use super::Call;
use super::marks::Marks;
use super::record::Times;

thread_local! {
    pub(super) static CURRENT: Current = const {
        Current {
            marks: Cell::new(Marks::NONE),
            times: Cell::new(None),
        }
    };
}

/// The Call that a thread is working on.
pub(super) struct Current {
    pub(super) marks: Cell<Marks>,
    pub(super) times: Cell<Option<Times>>,
}

impl Current {
    #[inline]
    pub(super) fn is_none(&self) -> bool {
        self.marks.get() == Marks::NONE
    }

    #[inline]
    pub(super) fn get(&self) -> Call {
        Call {
            marks: self.marks.get(),
            times: self.times.get(),
        }
    }

    #[inline]
    pub(super) fn set(&self, call: Call) {
        self.marks.set(call.marks);
        self.times.set(call.times);
    }

    /// Swaps the current Call, or that there is none, with what a scope keeps.
    #[inline]
    pub(super) fn swap(&self, kept: &mut Call) {
        kept.marks = self.marks.replace(kept.marks);
        // A copy each way, where there is something to copy.
        match (self.times.get().is_some(), kept.times.is_some()) {
            (false, false) => {}
            (false, true) => self.times.set(kept.times.take()),
            (true, false) => kept.times = self.times.take(),
            (true, true) => kept.times = self.times.replace(kept.times),
        }
    }
}
