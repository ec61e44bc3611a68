use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::mem;

use outrigger_core::Endpoint;
use tokio::time::Instant;

use super::alarms::Alarms;
use super::connection::{Connection, Kind, Opened};
use super::rest::Rest;
use super::stint::Stint;

/// What a snapshot says of one endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OriginCount {
    pub(crate) endpoint: Endpoint,
    pub(crate) open: usize,
    pub(crate) draining: usize,
    pub(crate) connecting: usize,
    pub(crate) streams: usize,
    pub(crate) waiters: usize,
}

impl OriginCount {
    pub(crate) fn is_empty(&self) -> bool {
        self.open + self.draining + self.connecting + self.waiters == 0
    }
}

/// The connections of one endpoint and the calls that wait for them.
#[derive(Debug)]
pub(super) struct Origin<H, W> {
    pub(super) endpoint: Endpoint,
    /// In the order of their numbers.
    connections: Vec<Connection<H>>,
    /// Calls that wait, by ticket: the oldest ticket is served first.
    waiters: BTreeMap<u64, W>,
    /// How many streams a connection of this endpoint was last seen to take.
    width: Option<u32>,
    pub(super) stint: Stint,
    /// Whether it waits for a socket of another endpoint to close.
    pub(super) starving: bool,
    pub(super) rest: Rest,
    pub(super) alarms: Alarms,
}

impl<H, W> Origin<H, W> {
    pub(super) fn new(endpoint: Endpoint) -> Self {
        Self {
            endpoint,
            connections: Vec::new(),
            waiters: BTreeMap::new(),
            width: None,
            stint: Stint::default(),
            starving: false,
            rest: Rest::default(),
            alarms: Alarms::default(),
        }
    }

    /// Takes a place on the connection with the fewest streams; among equals on the one used last,
    /// so that the others may fall idle.
    pub(super) fn take(&mut self, now: Instant) -> Option<(u64, H)>
    where
        H: Clone,
    {
        let connection = self
            .connections
            .iter_mut()
            .filter(|connection| connection.has_room(now))
            .min_by_key(|connection| (connection.streams(), Reverse(connection.used)))?;
        let handle = connection.take(now)?.clone();
        self.stint.count(connection, now);
        Some((connection.id, handle))
    }

    /// Gives the oldest waiter a place, if there is a waiter and a place.
    pub(super) fn grant(&mut self, now: Instant) -> Option<(W, u64, H)>
    where
        H: Clone,
    {
        let oldest = self.waiters.first_entry()?;
        let (ticket, waiter) = oldest.remove_entry();
        match self.take(now) {
            Some((id, handle)) => Some((waiter, id, handle)),
            None => {
                self.waiters.insert(ticket, waiter);
                None
            }
        }
    }

    /// Adds a waiter, or gives it back where `limit` wait already.
    pub(super) fn join(&mut self, ticket: u64, waiter: W, limit: usize) -> Result<(), W> {
        if self.waiters.len() >= limit {
            return Err(waiter);
        }
        self.waiters.insert(ticket, waiter);
        Ok(())
    }

    pub(super) fn leave(&mut self, ticket: u64) -> Option<W> {
        self.waiters.remove(&ticket)
    }

    /// Takes note of a connection that is being opened.
    pub(super) fn connect(&mut self, id: u64, now: Instant) {
        self.connections.push(Connection::new(id, now));
    }

    /// A connect has succeeded. Gives the handle back where the connection is gone already.
    pub(super) fn connected(&mut self, id: u64, opened: Opened<H>, now: Instant) -> Option<H> {
        if opened.kind == Kind::Http1 {
            self.width = Some(1);
        }
        match self.connection(id) {
            Some(connection) => connection.open(opened, now),
            None => Some(opened.handle),
        }
    }

    pub(super) fn settle(&mut self, id: u64, limit: u32) {
        if let Some(connection) = self.connection(id) {
            connection.settle(limit);
            self.width = Some(limit);
        }
    }

    /// The peer has taken its leave of a connection: of the calls that were given to it it takes the
    /// first `taken`.
    pub(super) fn learn(&mut self, id: u64, taken: u32, now: Instant) {
        let Self {
            connections, stint, ..
        } = self;
        if connections.iter().any(|c| c.id == id && c.taken > taken) {
            stint.learn(taken, connections, now);
        }
    }

    /// The connection's socket has closed, or was never opened: forgets it.
    pub(super) fn remove(&mut self, id: u64) -> Option<Connection<H>> {
        let at = self.find(id)?;
        Some(self.connections.remove(at))
    }

    /// The waiters, where no connection is left that might serve them.
    pub(super) fn give_up(&mut self) -> BTreeMap<u64, W> {
        if self.connections.iter().all(Connection::is_draining) {
            mem::take(&mut self.waiters)
        } else {
            BTreeMap::new()
        }
    }

    pub(super) fn connection(&mut self, id: u64) -> Option<&mut Connection<H>> {
        let at = self.find(id)?;
        self.connections.get_mut(at)
    }

    fn find(&self, id: u64) -> Option<usize> {
        self.connections.binary_search_by_key(&id, |c| c.id).ok()
    }

    pub(super) fn connections(&self) -> &[Connection<H>] {
        &self.connections
    }

    /// Whether one more connection is to be opened now: its waiters need it, and it does not rest.
    pub(super) fn wants_connection(&self, limit: usize, now: Instant) -> bool {
        self.needs_connection(limit) && self.rests_until(now).is_none()
    }

    /// When its rest is over, if it rests.
    pub(super) fn rests_until(&self, now: Instant) -> Option<Instant> {
        self.rest.until(self.present() == 0, now)
    }

    /// When somebody must come back, unless something happens before: a rest is over, or a connection
    /// takes calls again, and waiters wait for it, or what is known of the endpoint may be forgotten.
    pub(super) fn due(&self, limit: usize, now: Instant) -> Option<Instant> {
        if self.is_empty() {
            return self.known_until(now);
        }
        let rest = self.rests_until(now);
        let rest = rest.filter(|_| self.needs_connection(limit));
        let held = self.connections.iter().filter_map(|c| c.held);
        let held = held.filter(|until| self.has_waiters() && *until > now);
        held.chain(rest).min()
    }

    /// Until when an endpoint is worth remembering that has neither connections nor waiters.
    pub(super) fn known_until(&self, now: Instant) -> Option<Instant> {
        self.rests_until(now).max(self.stint.known_until(now))
    }

    /// Whether the waiters need one more connection than is coming.
    ///
    /// While nothing is known of the peer one connection is enough for all of them; after that as
    /// many are opened at once as the waiters fill.
    pub(super) fn needs_connection(&self, limit: usize) -> bool {
        let coming = self
            .connections
            .iter()
            .filter(|c| c.is_connecting())
            .count();
        let covered = match self.width {
            None if coming > 0 => usize::MAX,
            None => 0,
            Some(width) => coming.saturating_mul(self.stint.of(width).max(1) as usize),
        };
        self.waiters.len() > covered && self.present() < limit.max(1)
    }

    /// Connections that take calls or are being opened.
    pub(super) fn present(&self) -> usize {
        self.connections.iter().filter(|c| !c.is_draining()).count()
    }

    /// The ticket of the call that has waited longest.
    pub(super) fn oldest(&self) -> Option<u64> {
        self.waiters.keys().next().copied()
    }

    pub(super) fn has_waiters(&self) -> bool {
        !self.waiters.is_empty()
    }

    /// Whether a wait here is a wait for a connect, and not for a place on a connection.
    pub(super) fn is_connecting(&self) -> bool {
        let mut present = self.connections.iter().filter(|c| !c.is_draining());
        present.clone().next().is_some() && present.all(Connection::is_connecting)
    }

    /// Whether nobody is there who could come back to it. What rests is remembered.
    pub(super) fn is_empty(&self) -> bool {
        self.connections.is_empty() && self.waiters.is_empty()
    }

    pub(super) fn count(&self) -> OriginCount {
        let number = |is: fn(&Connection<H>) -> bool| {
            self.connections
                .iter()
                .filter(|connection| is(connection))
                .count()
        };
        OriginCount {
            endpoint: self.endpoint.clone(),
            open: number(Connection::is_open),
            draining: number(Connection::is_draining),
            connecting: number(Connection::is_connecting),
            streams: self.connections.iter().map(|c| c.streams() as usize).sum(),
            waiters: self.waiters.len(),
        }
    }
}
