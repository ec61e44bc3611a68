use std::cell::Cell;

use super::Call;
use super::marks::Marks;
use super::record::Times;
use crate::Deadline;

thread_local! {
    pub(super) static CURRENT: Current = const {
        Current {
            marks: Cell::new(Marks::NONE),
            times: Cell::new(Times::NONE),
        }
    };
}

/// The Call that a thread is working on.
pub(super) struct Current {
    pub(super) marks: Cell<Marks>,
    /// Left as they are by a Call without any.
    times: Cell<Times>,
}

impl Current {
    #[inline]
    pub(super) fn is_none(&self) -> bool {
        self.marks.get() == Marks::NONE
    }

    #[inline]
    pub(super) fn deadline(&self) -> Option<Deadline> {
        if self.marks.get().has(Marks::TIMED) {
            self.times.get().deadline
        } else {
            None
        }
    }

    #[inline]
    pub(super) fn has_timer(&self) -> bool {
        self.marks.get().has(Marks::TIMED) && self.times.get().timer.is_some()
    }

    #[inline]
    pub(super) fn get(&self) -> Call {
        let marks = self.marks.get();
        let times = marks.has(Marks::TIMED).then(|| self.times.get());
        Call { marks, times }
    }

    #[inline]
    pub(super) fn set(&self, call: Call) {
        self.marks.set(call.marks);
        if let Some(times) = call.times {
            self.times.set(times);
        }
    }

    /// Swaps the current Call, or that there is none, with what a scope keeps.
    #[inline]
    pub(super) fn swap(&self, kept: &mut Call) {
        let (old, new) = (self.marks.get(), kept.marks);
        self.marks.set(new);
        kept.marks = old;
        if old.with(new).has(Marks::TIMED) {
            let times = kept.times;
            kept.times = None;
            if old.has(Marks::TIMED) {
                kept.times = Some(self.times.get());
            }
            if let Some(times) = times {
                self.times.set(times);
            }
        }
    }
}
