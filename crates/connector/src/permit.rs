use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use tokio::time::Instant;

use crate::keeper::Keeper;
use crate::kernel::Key;

/// A call's place on a connection; given back when dropped.
pub(crate) struct Permit {
    keeper: Arc<dyn Keeper>,
    key: Key,
    /// When the request was handed over, and how many answers had been heard by then.
    since: Instant,
    answers: u32,
    stage: AtomicU8,
}

/// How far a call has got on its place.
#[derive(Clone, Copy, Debug)]
#[repr(u8)]
enum Stage {
    Unused,
    Sent,
    Answered,
    Failed,
    Complete,
}

/// How a call has left its place.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Leave {
    /// It never began.
    Unused,
    /// It was given up before the answer's head.
    Unanswered {
        since: Instant,
        /// How many answers the connection had brought when it began.
        answers: u32,
    },
    /// The answer was given up before its end.
    Cut,
    /// The connection or the peer ended it.
    Failed,
    /// The answer was read to its end.
    Complete,
}

impl Permit {
    pub(crate) fn new(keeper: Arc<dyn Keeper>, key: Key, now: Instant) -> Self {
        Self {
            keeper,
            key,
            since: now,
            answers: 0,
            stage: AtomicU8::new(Stage::Unused as u8),
        }
    }

    /// The request is handed over, on a connection that has brought so many answers before.
    pub(crate) fn sent(&mut self, now: Instant, answers: u32) {
        self.since = now;
        self.answers = answers;
        self.reach(Stage::Sent);
    }

    /// The answer's head is there.
    pub(crate) fn answered(&self) {
        self.reach(Stage::Answered);
    }

    /// There will be no answer, or no more of it.
    pub(crate) fn failed(&self) {
        self.reach(Stage::Failed);
    }

    /// The answer was read to its end: an HTTP/1 connection may carry another call.
    pub(crate) fn complete(&self) {
        self.reach(Stage::Complete);
    }

    /// The connection is the wrong one for such calls.
    pub(crate) fn misdirected(&self) {
        self.keeper.retire(self.key);
    }

    // Whoever drops the permit comes after those who reached a stage: the `Arc` it may be in orders
    // them.
    fn reach(&self, stage: Stage) {
        self.stage.store(stage as u8, Ordering::Relaxed);
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        const UNUSED: u8 = Stage::Unused as u8;
        const SENT: u8 = Stage::Sent as u8;
        const ANSWERED: u8 = Stage::Answered as u8;
        const COMPLETE: u8 = Stage::Complete as u8;
        let leave = match *self.stage.get_mut() {
            UNUSED => Leave::Unused,
            SENT => Leave::Unanswered {
                since: self.since,
                answers: self.answers,
            },
            ANSWERED => Leave::Cut,
            COMPLETE => Leave::Complete,
            _ => Leave::Failed,
        };
        self.keeper.released(self.key, leave);
    }
}
