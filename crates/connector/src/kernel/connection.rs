use std::mem;
use std::time::Duration;

use tokio::time::Instant;

use super::{CANCELS, CANCELS_WITHIN, LINGER};

/// The stream limit of a peer that states none (RFC 9113 §6.5.2).
pub(super) const UNLIMITED: u32 = u32::MAX;

/// How many streams go out before the peer's SETTINGS have said how many it takes: none. A peer that
/// never says so is left with nothing sent to it, and one that takes few refuses nothing. It costs a
/// round trip on a new connection.
const BEFORE_SETTINGS: u32 = 0;

/// What a connection speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// One call at a time.
    Http1,
    /// As many calls as the peer's `SETTINGS_MAX_CONCURRENT_STREAMS` allows.
    Http2,
}

/// What a connect has brought.
#[derive(Debug)]
pub(crate) struct Opened<H> {
    pub(crate) kind: Kind,
    pub(crate) handle: H,
    /// When the connection is too old to take calls.
    pub(crate) expires: Option<Instant>,
}

/// One connection as the kernel sees it, from the decision to open it until its socket is closed.
#[derive(Debug)]
pub(super) struct Connection<H> {
    pub(super) id: u64,
    state: State<H>,
    streams: u32,
    limit: u32,
    settled: bool,
    /// How many calls it was ever given.
    pub(super) taken: u32,
    /// Until when it is given none, unless it has carried all it has before.
    pub(super) held: Option<Instant>,
    /// When it began or ended to carry a call, or to drain.
    pub(super) used: Instant,
    /// When it is too old to take calls.
    expires: Option<Instant>,
    /// Calls in a row that were given up without a sign of an answer, and how many answers there had
    /// been when the first of them was.
    unanswered: (u32, u32),
    /// When all cancelled streams are forgotten.
    cancels: Instant,
}

#[derive(Debug)]
enum State<H> {
    Connecting,
    Open(H),
    /// Takes no new calls and ends with its last stream.
    Draining,
}

impl<H> Connection<H> {
    pub(super) fn new(id: u64, now: Instant) -> Self {
        Self {
            id,
            state: State::Connecting,
            streams: 0,
            limit: BEFORE_SETTINGS,
            settled: false,
            taken: 0,
            held: None,
            used: now,
            expires: None,
            unanswered: (0, 0),
            cancels: now,
        }
    }

    /// The connect has succeeded. Gives the handle back where the peer has already taken its leave.
    pub(super) fn open(&mut self, opened: Opened<H>, now: Instant) -> Option<H> {
        let Opened {
            kind,
            handle,
            expires,
        } = opened;
        if self.is_draining() {
            return Some(handle);
        }
        self.state = State::Open(handle);
        self.used = now;
        self.expires = expires;
        if kind == Kind::Http1 {
            self.settle(1);
        }
        None
    }

    /// The peer has said how many streams it takes.
    pub(super) fn settle(&mut self, limit: u32) {
        self.limit = limit;
        self.settled = true;
    }

    /// Stops taking calls.
    pub(super) fn retire(&mut self, now: Instant) -> Option<H> {
        if !self.is_draining() {
            self.used = now;
        }
        match mem::replace(&mut self.state, State::Draining) {
            State::Open(handle) => Some(handle),
            State::Connecting | State::Draining => None,
        }
    }

    /// A call was given up, and there was no answer of any kind since it began. Returns how many that
    /// makes in a row; `answers` had come by then.
    pub(super) fn count_unanswered(&mut self, answers: u32) -> u32 {
        let (count, before) = self.unanswered;
        let count = if answers == before { count } else { 0 };
        self.unanswered = (count.saturating_add(1), answers);
        self.unanswered.0
    }

    /// Whether calls were given up, and there was no answer of any kind since: `answers` have come so far.
    pub(super) fn is_silent(&self, answers: u32) -> bool {
        let (count, before) = self.unanswered;
        count > 0 && answers == before
    }

    /// A stream was cancelled. Returns whether these are too many in too short a time.
    pub(super) fn count_cancel(&mut self, now: Instant) -> bool {
        self.cancels = self.cancels.max(now) + CANCELS_WITHIN / CANCELS;
        self.cancels - now > CANCELS_WITHIN
    }

    /// When something must be done about it, unless something happens before: an open one has been
    /// idle too long or is too old, a draining one that carries nothing should have closed.
    pub(super) fn due(&self, idle: Duration) -> Option<Instant> {
        let after = |time| self.used.checked_add(time);
        match (self.is_draining(), self.streams) {
            (true, 0) => after(LINGER),
            (true, _) => None,
            (false, 0) => [after(idle), self.expires].into_iter().flatten().min(),
            (false, _) => self.expires,
        }
    }

    pub(super) fn take(&mut self, now: Instant) -> Option<&H> {
        let State::Open(handle) = &self.state else {
            return None;
        };
        self.streams += 1;
        self.taken = self.taken.saturating_add(1);
        self.used = now;
        Some(handle)
    }

    pub(super) fn give_back(&mut self, now: Instant) {
        self.streams = self.streams.saturating_sub(1);
        self.used = now;
        if self.streams == 0 {
            self.held = None;
        }
    }

    pub(super) fn handle(&self) -> Option<&H> {
        match &self.state {
            State::Open(handle) => Some(handle),
            State::Connecting | State::Draining => None,
        }
    }

    pub(super) fn into_handle(self) -> Option<H> {
        match self.state {
            State::Open(handle) => Some(handle),
            State::Connecting | State::Draining => None,
        }
    }

    pub(super) fn streams(&self) -> u32 {
        self.streams
    }

    /// Whether it is coming: the transport is being opened, or the peer has not sent its SETTINGS yet.
    /// SETTINGS may also be read before the connect is reported.
    pub(super) fn is_connecting(&self) -> bool {
        !self.is_draining() && !self.is_open()
    }

    pub(super) fn is_open(&self) -> bool {
        matches!(self.state, State::Open(_)) && self.settled
    }

    pub(super) fn is_draining(&self) -> bool {
        matches!(self.state, State::Draining)
    }

    /// Whether the peer has said how many streams it takes.
    pub(super) fn is_settled(&self) -> bool {
        self.settled
    }

    /// Whether it may come to take calls, and how many is not known yet.
    pub(super) fn is_unsettled(&self) -> bool {
        !self.is_draining() && !self.settled
    }

    /// Whether it takes calls and carries none.
    pub(super) fn is_idle(&self) -> bool {
        self.is_open() && self.streams == 0
    }

    /// Whether one more stream may be sent now.
    pub(super) fn has_room(&self, now: Instant) -> bool {
        self.is_open() && self.streams < self.limit && self.held.is_none_or(|until| until <= now)
    }
}
