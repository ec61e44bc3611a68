use std::cmp::Ordering;

use tokio::time::Instant;

use super::connection::Connection;
use super::{HOLD, KNOWN};

/// How many calls a connection of an endpoint carries before its peer takes its leave of it, as far as
/// that is known.
///
/// Some servers end each connection after so many requests. What was sent above that is refused and
/// must be sent again, and where the number is small compared to what is under way at once, a call may
/// be refused as often as it is sent. So a connection that has carried its stint is given no more: the
/// peer's leave is near. Where it does not come the number was no rule, and is forgotten.
#[derive(Debug, Default)]
pub(super) struct Stint {
    calls: Option<u32>,
    /// Until when it is worth remembering, unless the endpoint has connections.
    until: Option<Instant>,
}

impl Stint {
    /// A peer has taken its leave after so many calls and was given more.
    pub(super) fn learn<H>(&mut self, calls: u32, connections: &mut [Connection<H>], now: Instant) {
        if calls == 0 {
            return;
        }
        self.calls = Some(calls);
        self.until = now.checked_add(KNOWN);
        for connection in connections.iter_mut().filter(|c| c.taken >= calls) {
            connection.held = now.checked_add(HOLD);
        }
    }

    /// A connection was given a call.
    pub(super) fn count<H>(&mut self, connection: &mut Connection<H>, now: Instant) {
        match self.calls.map(|calls| connection.taken.cmp(&calls)) {
            Some(Ordering::Equal) => {
                connection.held = now.checked_add(HOLD);
                self.until = now.checked_add(KNOWN);
            }
            Some(Ordering::Greater) => *self = Self::default(),
            Some(Ordering::Less) | None => {}
        }
    }

    /// How many calls a new connection takes that takes `width` at once.
    pub(super) fn of(&self, width: u32) -> u32 {
        self.calls.map_or(width, |calls| calls.min(width))
    }

    /// Until when it is worth remembering, if it is.
    pub(super) fn known_until(&self, now: Instant) -> Option<Instant> {
        self.until.filter(|until| *until > now)
    }
}
