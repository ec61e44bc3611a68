//! What is made of a connection that ails: one that is silent, old, idle, or asked for less.

use std::collections::BTreeMap;

use tokio::time::Instant;

use super::LOOK;
use super::connection::Connection;
use super::pool::Pool;
use super::step::{Key, Watch};

impl<H: Clone, W> Pool<H, W> {
    /// A call was given up, and the connection has brought no answer of any kind since it began, only
    /// `answers` before. One that does so again and again takes no new calls.
    pub(crate) fn unanswered(&mut self, key: Key, answers: u32, now: Instant) {
        let limit = self.limits.unanswered.max(1);
        if let Some(connection) = self.connection(key)
            && connection.count_unanswered(answers) >= limit
        {
            self.retire(key, now);
        }
    }

    /// Whether the connection, which has brought so many answers so far, brought none since a call was
    /// given up on it.
    pub(crate) fn is_silent(&mut self, key: Key, answers: u32) -> bool {
        self.connection(key).is_some_and(|c| c.is_silent(answers))
    }

    /// A stream was cancelled. A connection with too many of them takes no new calls.
    pub(crate) fn cancelled(&mut self, key: Key, now: Instant) {
        if self.connection(key).is_some_and(|c| c.count_cancel(now)) {
            self.retire(key, now);
        }
    }

    /// The peer takes its leave: of the calls that the connection was given it takes the first `taken`,
    /// and no more. Returns the waiters that fail with it: a peer that leaves before it is given a call
    /// is not asked for ever.
    pub(crate) fn leave_taken(&mut self, key: Key, taken: u32, now: Instant) -> BTreeMap<u64, W> {
        if let Some(origin) = self.origin(key.slot) {
            origin.learn(key.connection, taken, now);
        }
        let useless = |c: &mut Connection<H>| c.taken == 0 && !c.is_draining();
        let useless = self.connection(key).is_some_and(useless);
        self.retire(key, now);
        if !useless {
            return BTreeMap::new();
        }
        self.give_up(key.slot, now)
    }

    /// The server asks for less: the connection takes no new calls, and no other is opened for a while
    /// (`ENHANCE_YOUR_CALM`, RFC 9113 §7).
    pub(crate) fn calm(&mut self, key: Key, now: Instant) {
        if let Some(origin) = self.origin(key.slot) {
            origin.rest.begin(true, now);
        }
        self.retire(key, now);
    }

    /// Looks at a connection whose socket is open: retires it when it is idle too long or too old.
    pub(crate) fn watch(&mut self, key: Key, now: Instant) -> Watch {
        let idle = self.limits.idle;
        let look = now.checked_add(LOOK).unwrap_or(now);
        let Some(connection) = self.connection(key) else {
            return Watch::Gone;
        };
        match connection.due(idle) {
            Some(due) if due > now => Watch::Until(due.min(look)),
            None => Watch::Until(look),
            Some(_) if connection.is_draining() => Watch::Kill,
            Some(_) => {
                self.retire(key, now);
                Watch::Until(look)
            }
        }
    }

    /// The peer has had its time to say how many streams it takes. Where it has not, the connection
    /// takes no new calls; returns the waiters that fail with it.
    pub(crate) fn overdue(&mut self, key: Key, now: Instant) -> BTreeMap<u64, W> {
        if !self.connection(key).is_some_and(|c| c.is_unsettled()) {
            return BTreeMap::new();
        }
        self.retire(key, now);
        self.give_up(key.slot, now)
    }
}
