use std::collections::{BTreeMap, VecDeque};

use http::Uri;
use tokio::time::Instant;

use super::Limits;
use super::connection::{Connection, Opened, UNLIMITED};
use super::names::{BadUri, Names};
use super::origin::{Origin, OriginCount};
use super::step::{Key, Lease, Place, Step};

/// The connections of all endpoints, and the calls that wait for them.
#[derive(Debug)]
pub(crate) struct Pool<H, W> {
    pub(super) limits: Limits,
    names: Names,
    pub(super) origins: Vec<Option<Origin<H, W>>>,
    vacant: Vec<usize>,
    /// Slots that something happened to since the shell last asked.
    touched: VecDeque<usize>,
    /// Slots that need a socket while none may be opened, the one that has waited longest first.
    pub(super) starving: VecDeque<usize>,
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

    /// The time of an alarm has come.
    pub(crate) fn wake(&mut self, slot: usize, now: Instant) {
        if let Some(origin) = self.origin(slot) {
            origin.alarms.ring(now);
        }
        self.touch(slot);
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
        let idle = connection.is_idle();
        let oldest = origin.oldest();
        if has_waiters || (idle && !self.starving.is_empty()) {
            self.touch(key.slot);
        }
        if idle && self.is_overtaken(oldest) && self.is_short(now) {
            self.retire(key, now);
        }
    }

    /// The connection's socket has closed, or was never opened. Returns the waiters that fail with
    /// it: a peer that lets go of connections before they carry a call is not asked for ever.
    pub(crate) fn closed(&mut self, key: Key, now: Instant) -> BTreeMap<u64, W> {
        let removed = self
            .origin(key.slot)
            .and_then(|origin| origin.remove(key.connection));
        let Some(connection) = removed else {
            return BTreeMap::new();
        };
        // One that drains was seen to before.
        let useless = connection.taken == 0 && !connection.is_draining();
        self.discarded.extend(connection.into_handle());
        self.sockets = self.sockets.saturating_sub(1);
        self.feed();
        self.touch(key.slot);
        if !useless {
            return BTreeMap::new();
        }
        self.give_up(key.slot, now)
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
            self.forget_if_vacant(slot, now);
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
        if let Some(due) = origin.due(per_endpoint, now)
            && origin.alarms.set(due, now)
        {
            return Some(Step::Alarm(slot, due));
        }
        let wants = origin.wants_connection(per_endpoint, now);
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

    /// A connection came to nothing: the endpoint may rest, and waiters without another fail.
    pub(super) fn give_up(&mut self, slot: usize, now: Instant) -> BTreeMap<u64, W> {
        let Some(origin) = self.origin(slot) else {
            return BTreeMap::new();
        };
        origin.rest.begin(false, now);
        origin.give_up()
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

    fn forget_if_vacant(&mut self, slot: usize, now: Instant) {
        let vacant = |origin: &mut Origin<H, W>| {
            origin.is_empty() && origin.alarms.is_empty() && origin.known_until(now).is_none()
        };
        let place = self.origins.get_mut(slot);
        if let Some(origin) = place.and_then(|place| place.take_if(vacant)) {
            self.names.forget(&origin.endpoint);
            self.vacant.push(slot);
        }
    }

    pub(super) fn origin(&mut self, slot: usize) -> Option<&mut Origin<H, W>> {
        self.origins.get_mut(slot)?.as_mut()
    }

    pub(super) fn connection(&mut self, key: Key) -> Option<&mut Connection<H>> {
        self.origin(key.slot)?.connection(key.connection)
    }

    pub(super) fn touch(&mut self, slot: usize) {
        if !self.touched.contains(&slot) {
            self.touched.push_back(slot);
        }
    }

    fn number(&mut self) -> u64 {
        self.last += 1;
        self.last
    }
}
