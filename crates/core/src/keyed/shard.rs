use std::mem;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use tokio::time::Instant;

use super::Spare;
use super::index::Index;
use super::key::{Kept, Key};

/// How many old entries an insertion looks at for one that can go.
const LOOK: usize = 8;

/// A part of a table, and its lock. A look-up writes to the lock; hence none shares a line of the cache
/// with its neighbours.
#[repr(align(128))]
pub(super) struct Shard<T>(RwLock<Entries<T>>);

pub(super) struct Entries<T> {
    index: Index,
    entries: Vec<Entry<T>>,
    hand: usize,
    pub(super) overflow: Option<Arc<T>>,
}

struct Entry<T> {
    hash: u32,
    key: Kept,
    value: Arc<T>,
}

impl<T> Shard<T> {
    #[inline]
    pub(super) fn read(&self) -> RwLockReadGuard<'_, Entries<T>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn write(&self) -> RwLockWriteGuard<'_, Entries<T>> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
impl<T> Shard<T> {
    pub(super) fn is_free(&self) -> bool {
        self.0.try_read().is_ok()
    }
}

impl<T> Entries<T> {
    pub(super) fn push(&mut self, hash: u64, key: Key<'_>, value: Arc<T>) {
        let (hash, key) = (hash as u32, key.keep());
        self.index.insert(hash, self.entries.len());
        self.entries.push(Entry { hash, key, value });
    }

    /// Puts an entry in the place of another, whose value it returns.
    pub(super) fn replace(&mut self, at: usize, hash: u64, key: Key<'_>, value: Arc<T>) -> Arc<T> {
        let (hash, key) = (hash as u32, key.keep());
        self.index.remove(self.entries[at].hash, at);
        self.index.insert(hash, at);
        mem::replace(&mut self.entries[at], Entry { hash, key, value }).value
    }

    #[inline(always)] // a key that is looked for stays in registers
    pub(super) fn get(&self, hash: u64, key: Key<'_>) -> Option<&Arc<T>> {
        self.index.find(hash as u32, |at| {
            let entry = self.entries.get(at)?;
            key.is(&entry.key).then_some(&entry.value)
        })
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// All values, that of overflow included.
    pub(super) fn values(&self) -> impl Iterator<Item = &Arc<T>> {
        let values = self.entries.iter().map(|entry| &entry.value);
        values.chain(&self.overflow)
    }
}

impl<T: Spare> Entries<T> {
    /// An entry that can go, of the next few after those looked at last.
    pub(super) fn spare(&mut self, now: Instant) -> Option<usize> {
        for _ in 0..LOOK.min(self.entries.len()) {
            let at = self.hand;
            self.hand = (at + 1) % self.entries.len();
            let value = &self.entries[at].value;
            if Arc::strong_count(value) == 1 && value.is_spare(now) {
                return Some(at);
            }
        }
        None
    }
}

impl<T> Default for Shard<T> {
    fn default() -> Self {
        Self(RwLock::new(Entries {
            index: Index::default(),
            entries: Vec::new(),
            hand: 0,
            overflow: None,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_replaced_leaves_the_index_too() {
        let (shard, value) = (Shard::default(), Arc::new(()));
        let mut entries = shard.write();
        entries.push(0, Key::of_bytes(b"0"), Arc::clone(&value));
        let slots = entries.index.slots();
        for hash in 1_u64..1_000 {
            let key = hash.to_be_bytes();
            entries.replace(0, hash, Key::of_bytes(&key), Arc::clone(&value));
            assert!(entries.get(hash, Key::of_bytes(&key)).is_some());
        }
        assert_eq!((entries.len(), entries.index.slots()), (1, slots));
    }
}
