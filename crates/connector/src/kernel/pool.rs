use std::collections::{BTreeMap, VecDeque};

use http::Uri;
use outrigger_core::Endpoint;
use tokio::time::Instant;

use super::connection::{Connection, Opened, UNLIMITED};
use super::names::{BadUri, Names};
use super::origin::{Origin, OriginCount};
use super::{LOOK, Limits};

/// Names a connection: its endpoint's slot, and a number that is never given twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    slot: usize,
    connection: u64,
}

/// A place on a connection.
#[derive(Debug)]
pub(crate) struct Lease<H> {
    pub(crate) key: Key,
    pub(crate) handle: H,
}

/// What a call is offered.
#[derive(Debug)]
pub(crate) enum Place<H> {
    Lease(Lease<H>),
    /// There is none: the call may wait at this slot.
    Wait(usize),
}

/// What is to be done about a connection whose socket is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Watch {
    /// It is to be looked at again then.
    Until(Instant),
    /// It should have closed by itself.
    Kill,
    /// The pool knows nothing of it.
    Gone,
}

/// What the shell must do next.
#[derive(Debug)]
pub(crate) enum Step<H, W> {
    /// Hand this place to this waiter.
    Grant(W, Lease<H>),
    /// Open a connection to this endpoint.
    Connect(Key, Endpoint),
    /// Let go of this handle: its connection takes no new calls and ends with its last stream.
    Discard(H),
}

/// The connections of all endpoints, and the calls that wait for them.
#[derive(Debug)]
pub(crate) struct Pool<H, W> {
    limits: Limits,
    names: Names,
    origins: Vec<Option<Origin<H, W>>>,
    vacant: Vec<usize>,
    /// Slots that something happened to since the shell last asked.
    touched: VecDeque<usize>,
    /// Slots that need a socket while none may be opened, the one that has waited longest first.
    starving: VecDeque<usize>,
    discarded: Vec<H>,
    /// Sockets open or being opened.
    sockets: usize,
    /// The last number given to a connection or a ticket.
    last: u64,
}

impl<H: Clone, W> Pool<H, W> {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            names: Names::default(),
            origins: Vec::new(),
            vacant: Vec::new(),
            touched: VecDeque::new(),
            starving: VecDeque::new(),
            discarded: Vec::new(),
            sockets: 0,
            last: 0,
        }
    }

    /// A call wants a place. It never overtakes one that waits.
    pub(crate) fn place(&mut self, uri: &Uri, now: Instant) -> Result<Place<H>, BadUri> {
        let slot = match self.names.known(uri) {
            Some(slot) => slot,
            None => self.learn(uri)?,
        };
        let taken = self
            .origin(slot)
            .filter(|origin| !origin.has_waiters())
            .and_then(|origin| origin.take(now));
        Ok(match taken {
            Some((connection, handle)) => Place::Lease(Lease {
                key: Key { slot, connection },
                handle,
            }),
            None => Place::Wait(slot),
        })
    }

    /// A call waits at this slot. Returns its ticket, or the waiter where too many wait already.
    pub(crate) fn join(&mut self, slot: usize, waiter: W) -> Result<u64, W> {
        self.touch(slot);
        let ticket = self.number();
        let limit = self.limits.waiters;
        match self.origin(slot) {
            Some(origin) => origin.join(ticket, waiter, limit).map(|()| ticket),
            None => Err(waiter),
        }
    }

    /// A waiter has lost interest.
    pub(crate) fn leave(&mut self, slot: usize, ticket: u64) -> Option<W> {
        self.touch(slot);
        self.origin(slot)?.leave(ticket)
    }

    /// A connect has succeeded.
    pub(crate) fn connected(&mut self, key: Key, opened: Opened<H>, now: Instant) {
        self.touch(key.slot);
        let late = match self.origin(key.slot) {
            Some(origin) => origin.connected(key.connection, opened, now),
            None => Some(opened.handle),
        };
        self.discarded.extend(late);
    }

    /// The peer has said how many streams the connection takes.
    pub(crate) fn settled(&mut self, key: Key, limit: u32) {
        self.touch(key.slot);
        if let Some(origin) = self.origin(key.slot) {
            origin.settle(key.connection, limit);
        }
    }

    /// The peer has sent SETTINGS without a word on streams: first ones set no limit, later ones
    /// leave it (RFC 9113 §6.5.2).
    pub(crate) fn settled_silently(&mut self, key: Key) {
        if self.connection(key).is_some_and(|c| !c.is_settled()) {
            self.settled(key, UNLIMITED);
        }
    }

    /// The connection takes no new calls from now on.
    pub(crate) fn retire(&mut self, key: Key, now: Instant) {
        self.touch(key.slot);
        let handle = self.connection(key).and_then(|c| c.retire(now));
        self.discarded.extend(handle);
    }

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

    /// A stream was cancelled. A connection with too many of them takes no new calls.
    pub(crate) fn cancelled(&mut self, key: Key, now: Instant) {
        if self.connection(key).is_some_and(|c| c.count_cancel(now)) {
            self.retire(key, now);
        }
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
        self.give_up(key.slot)
    }

    /// A call has given its place back.
    pub(crate) fn release(&mut self, key: Key, now: Instant) {
        let Some(origin) = self.origin(key.slot) else {
            return;
        };
        let has_waiters = origin.has_waiters();
        let Some(connection) = origin.connection(key.connection) else {
            return;
        };
        connection.give_back(now);
        let evictable = connection.is_idle() && !self.starving.is_empty();
        if has_waiters || evictable {
            self.touch(key.slot);
        }
    }

    /// The connection's socket has closed, or was never opened. Returns the waiters that fail with
    /// it: a peer that lets go of connections before they carry a call is not asked for ever.
    pub(crate) fn closed(&mut self, key: Key) -> BTreeMap<u64, W> {
        let removed = self
            .origin(key.slot)
            .and_then(|origin| origin.remove(key.connection));
        let Some(connection) = removed else {
            return BTreeMap::new();
        };
        let useless = !connection.served || connection.is_unsettled();
        self.discarded.extend(connection.into_handle());
        self.sockets = self.sockets.saturating_sub(1);
        self.feed();
        self.touch(key.slot);
        if useless {
            self.give_up(key.slot)
        } else {
            BTreeMap::new()
        }
    }

    /// The handle of a connection that takes calls.
    pub(crate) fn handle(&mut self, key: Key) -> Option<&H> {
        self.connection(key)?.handle()
    }

    /// Whether a wait at this slot is a wait for a connect.
    pub(crate) fn is_connecting(&mut self, slot: usize) -> bool {
        self.origin(slot)
            .is_some_and(|origin| origin.is_connecting())
    }

    /// Whether [`next`](Self::next) has anything to say.
    pub(crate) fn has_work(&self) -> bool {
        !self.touched.is_empty() || !self.discarded.is_empty()
    }

    /// What the shell must do next; `None` when all is done.
    pub(crate) fn next(&mut self, now: Instant) -> Option<Step<H, W>> {
        loop {
            if let Some(handle) = self.discarded.pop() {
                return Some(Step::Discard(handle));
            }
            let slot = *self.touched.front()?;
            if let Some(step) = self.step(slot, now) {
                return Some(step);
            }
            self.touched.pop_front();
            self.forget_if_vacant(slot);
        }
    }

    pub(crate) fn count(&self) -> impl Iterator<Item = OriginCount> {
        self.origins.iter().flatten().map(Origin::count)
    }

    /// What a slot needs next.
    fn step(&mut self, slot: usize, now: Instant) -> Option<Step<H, W>> {
        let per_endpoint = self.limits.per_endpoint;
        let origin = self.origin(slot)?;
        if let Some((waiter, connection, handle)) = origin.grant(now) {
            let key = Key { slot, connection };
            return Some(Step::Grant(waiter, Lease { key, handle }));
        }
        let wants = origin.wants_connection(per_endpoint);
        let room = self.sockets < self.limits.total.max(1);
        self.starve(slot, wants && !room);
        if !room {
            self.evict(now);
            return None;
        }
        if !wants {
            self.feed();
            return None;
        }
        let connection = self.number();
        let origin = self.origin(slot)?;
        origin.connect(connection, now);
        let endpoint = origin.endpoint.clone();
        self.sockets += 1;
        Some(Step::Connect(Key { slot, connection }, endpoint))
    }

    /// Takes note of whether a slot needs a socket while none may be opened.
    fn starve(&mut self, slot: usize, starves: bool) {
        let Some(origin) = self.origin(slot) else {
            return;
        };
        match (origin.starving, starves) {
            (false, true) => {
                origin.starving = true;
                self.starving.push_back(slot);
            }
            (true, false) => {
                origin.starving = false;
                self.starving.retain(|starving| *starving != slot);
            }
            _ => {}
        }
    }

    /// A socket may be opened again: asks the slot that has starved longest whether it still needs it.
    fn feed(&mut self) {
        if let Some(slot) = self.starving.pop_front() {
            if let Some(origin) = self.origin(slot) {
                origin.starving = false;
            }
            self.touch(slot);
        }
    }

    /// Retires the connection that has been idle longest, if more slots starve than sockets are
    /// about to close.
    fn evict(&mut self, now: Instant) {
        let per_endpoint = self.limits.per_endpoint;
        let starving = self.starving.iter().filter(|slot| {
            let origin = self.origins.get(**slot).and_then(Option::as_ref);
            origin.is_some_and(|origin| origin.wants_connection(per_endpoint))
        });
        let connections = || {
            let origins = self.origins.iter().enumerate();
            origins.flat_map(|(slot, origin)| {
                let connections = origin.iter().flat_map(Origin::connections);
                connections.map(move |connection| (slot, connection))
            })
        };
        let closing = connections().filter(|(_, c)| c.is_draining() && c.streams() == 0);
        if closing.count() >= starving.count() {
            return;
        }
        let idle = connections().filter(|(_, connection)| connection.is_idle());
        let idlest = idle.min_by_key(|(_, connection)| connection.used);
        if let Some((slot, connection)) = idlest {
            let connection = connection.id;
            self.retire(Key { slot, connection }, now);
        }
    }

    fn give_up(&mut self, slot: usize) -> BTreeMap<u64, W> {
        self.origin(slot).map(Origin::give_up).unwrap_or_default()
    }

    fn learn(&mut self, uri: &Uri) -> Result<usize, BadUri> {
        let Self {
            names,
            origins,
            vacant,
            ..
        } = self;
        names.learn(uri, |endpoint| {
            let origin = Origin::new(endpoint.clone());
            let slot = vacant.pop().unwrap_or(origins.len());
            match origins.get_mut(slot) {
                Some(place) => *place = Some(origin),
                None => origins.push(Some(origin)),
            }
            slot
        })
    }

    fn forget_if_vacant(&mut self, slot: usize) {
        let place = self.origins.get_mut(slot);
        if let Some(origin) = place.and_then(|place| place.take_if(|origin| origin.is_vacant())) {
            self.names.forget(&origin.endpoint);
            self.vacant.push(slot);
        }
    }

    fn origin(&mut self, slot: usize) -> Option<&mut Origin<H, W>> {
        self.origins.get_mut(slot)?.as_mut()
    }

    fn connection(&mut self, key: Key) -> Option<&mut Connection<H>> {
        self.origin(key.slot)?.connection(key.connection)
    }

    fn touch(&mut self, slot: usize) {
        if !self.touched.contains(&slot) {
            self.touched.push_back(slot);
        }
    }

    fn number(&mut self) -> u64 {
        self.last += 1;
        self.last
    }
}
