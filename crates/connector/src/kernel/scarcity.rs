//! Who opens a socket, and who closes one, when there may be no more of them.

use tokio::time::Instant;

use super::connection::Connection;
use super::origin::Origin;
use super::pool::Pool;
use super::step::Key;

impl<H: Clone, W> Pool<H, W> {
    /// Takes note of whether a slot needs a socket while none may be opened.
    pub(super) fn starve(&mut self, slot: usize, starves: bool) {
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
    pub(super) fn feed(&mut self) {
        if let Some(slot) = self.starving.pop_front() {
            if let Some(origin) = self.origin(slot) {
                origin.starving = false;
            }
            self.touch(slot);
        }
    }

    /// Whether a call that starves has waited longer than the oldest of those that do not.
    pub(super) fn is_overtaken(&mut self, oldest: Option<u64>) -> bool {
        let Some(&slot) = self.starving.front() else {
            return false;
        };
        let starving = self.origin(slot).and_then(|origin| origin.oldest());
        matches!((starving, oldest), (Some(starving), Some(oldest)) if starving < oldest)
    }

    /// Whether more slots starve than sockets are about to close.
    pub(super) fn is_short(&self, now: Instant) -> bool {
        let connections = self.origins.iter().flatten().flat_map(Origin::connections);
        let closing = connections.filter(|c| c.is_draining() && c.streams() == 0);
        closing.count() < self.starved(now).count()
    }

    /// The endpoints that starve and do so rightly.
    fn starved(&self, now: Instant) -> impl Iterator<Item = &Origin<H, W>> {
        let per_endpoint = self.limits.per_endpoint;
        let starving = self.starving.iter();
        let origins = starving.filter_map(|slot| self.origins.get(*slot)?.as_ref());
        origins.filter(move |origin| origin.wants_connection(per_endpoint, now))
    }

    /// Makes room for a slot that starves: retires the connection that has been idle longest or,
    /// where all are busy, one of the endpoint that has most of them.
    pub(super) fn evict(&mut self, now: Instant) {
        if !self.is_short(now) {
            return;
        }
        let connections = self.origins.iter().enumerate().flat_map(|(slot, origin)| {
            let connections = origin.iter().flat_map(Origin::connections);
            connections.map(move |connection| (slot, connection))
        });
        let idle = connections.filter(|(_, connection)| connection.is_idle());
        let idlest = idle.min_by_key(|(_, connection)| connection.used);
        let key = idlest.map(|(slot, connection)| Key {
            slot,
            connection: connection.id,
        });
        if let Some(key) = key.or_else(|| self.least_missed(now)) {
            self.retire(key, now);
        }
    }

    /// A busy connection of the endpoint that has most, the one with the fewest streams; none unless
    /// somebody starves who has fewer by two, and no busy one is closing already.
    fn least_missed(&self, now: Instant) -> Option<Key> {
        let origins = self.origins.iter().enumerate();
        let origins = origins.filter_map(|(slot, origin)| Some((slot, origin.as_ref()?)));
        let (slot, richest) = origins.max_by_key(|(_, origin)| origin.present())?;
        let poorest = self.starved(now).map(Origin::present).min()?;
        let mut connections = self.origins.iter().flatten().flat_map(Origin::connections);
        if richest.present() < poorest + 2 || connections.any(Connection::is_draining) {
            return None;
        }
        let open = richest.connections().iter().filter(|c| c.is_open());
        let connection = open.min_by_key(|connection| connection.streams())?.id;
        Some(Key { slot, connection })
    }
}
