mod index;
mod key;
mod seed;
mod shard;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::Uri;
use tokio::time::Instant;

use self::index::Index;
use self::key::{Key, normal_form};
use self::seed::Seed;
use self::shard::Shard;

/// The most shards a table has; a power of two.
const SHARDS: usize = 16;
/// A shard is not made for fewer entries than this, so that small caps are exact.
const PER_SHARD: usize = 64;

/// A table of one `T` per key that keeps at most a cap of them, however many keys it is asked for.
///
/// A key is an endpoint or any bytes. All spellings of an endpoint are one key (RFC 3986 §6.2.2.1 and
/// §6.2.3): the case of the host, the scheme's own port written out, user information. URIs without a
/// host, or whose port is none, share a key for each scheme, and so do schemes other than `http` and
/// `https`.
///
/// A key beyond the cap takes the place of an old entry that is [as good as fresh](Spare) and in
/// nobody's hands; of the old entries, 8 are looked at. Where none can go, such keys share one
/// overflow entry per shard: no call is refused, and no entry that remembers something is lost.
///
/// ```
/// use outrigger_core::{Keyed, Spare};
/// use tokio::time::Instant;
///
/// struct Nothing;
/// impl Spare for Nothing {
///     fn is_spare(&self, _: Instant) -> bool {
///         true
///     }
/// }
///
/// let table = Keyed::new(10_000);
/// table.at(&"http://a.example/x".parse().unwrap(), Instant::now, || Nothing);
/// assert!(table.find(&"HTTP://A.example:80/y".parse().unwrap()).is_some());
/// assert_eq!(table.len(), 1);
/// ```
pub struct Keyed<T> {
    /// As many as a power of two.
    shards: Box<[Shard<T>]>,
    cap_per_shard: usize,
    seed: Seed,
    len: AtomicUsize,
}

/// What a [`Keyed`] table may let go of.
pub trait Spare {
    /// Whether a new one in its place would behave alike from `now` on.
    fn is_spare(&self, now: Instant) -> bool;
}

impl<T> Keyed<T> {
    /// An empty table of at most `cap` entries; 0 counts as 1.
    pub fn new(cap: usize) -> Self {
        let shards = 1 << (cap / PER_SHARD).clamp(1, SHARDS).ilog2();
        Self {
            shards: (0..shards).map(|_| Shard::default()).collect(),
            cap_per_shard: (cap / shards).clamp(1, Index::MOST),
            seed: Seed::random(),
            len: AtomicUsize::new(0),
        }
    }

    /// The entry of these bytes, or the overflow entry that they share, if there is one.
    pub fn get(&self, key: &[u8]) -> Option<Arc<T>> {
        self.kept_or_shared(Key::of_bytes(key))
    }

    /// The entry of a URI's endpoint, or the overflow entry that it shares, if there is one.
    pub fn find(&self, uri: &Uri) -> Option<Arc<T>> {
        let spelled = Key::as_spelled(uri);
        self.kept(spelled, self.seed.hash(spelled)).or_else(|| {
            let form = normal_form(uri);
            self.kept_or_shared(Key::as_normal(uri, &form))
        })
    }

    /// How many entries there are, those of overflow left aside.
    pub fn len(&self) -> usize {
        self.len.load(Ordering::Relaxed)
    }

    /// Whether nothing was ever inserted.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All entries, those of overflow included, in no order.
    pub fn values(&self) -> Vec<Arc<T>> {
        let mut values = Vec::with_capacity(self.len());
        for shard in &self.shards {
            values.extend(shard.read().values().cloned());
        }
        values
    }

    #[inline(always)] // the key stays in registers
    fn kept(&self, key: Key<'_>, hash: u64) -> Option<Arc<T>> {
        self.shard(hash).read().get(hash, key).cloned()
    }

    fn kept_or_shared(&self, key: Key<'_>) -> Option<Arc<T>> {
        let hash = self.seed.hash(key);
        let shard = self.shard(hash).read();
        shard.get(hash, key).or(shard.overflow.as_ref()).cloned()
    }

    #[inline]
    fn shard(&self, hash: u64) -> &Shard<T> {
        // A shard's index takes the low half.
        let high = (hash >> 32) as usize;
        &self.shards[high & (self.shards.len() - 1)]
    }
}

impl<T: Spare> Keyed<T> {
    /// The entry of these bytes; when they have none, a `fresh` one, or the overflow entry if there is
    /// no room. `now` tells old entries what they are still good for; it is asked only where the entry
    /// is not found, so that a call to a known key needs no clock for it.
    #[inline]
    pub fn get_or_insert(
        &self,
        key: &[u8],
        now: impl FnOnce() -> Instant,
        fresh: impl FnOnce() -> T,
    ) -> Arc<T> {
        self.kept_or_inserted(Key::of_bytes(key), now, fresh)
    }

    /// The entry of a URI's endpoint, if there is one and the endpoint is spelled in the usual way: what
    /// [`at`](Self::at) looks for first. Nothing keeps hold of the URI.
    #[inline]
    pub fn known(&self, uri: &Uri) -> Option<Arc<T>> {
        let spelled = Key::as_spelled(uri);
        self.kept(spelled, self.seed.hash(spelled))
    }

    /// The entry of a URI's endpoint, as [`get_or_insert`](Self::get_or_insert) has it.
    #[inline]
    pub fn at(
        &self,
        uri: &Uri,
        now: impl FnOnce() -> Instant,
        fresh: impl FnOnce() -> T,
    ) -> Arc<T> {
        match self.known(uri) {
            Some(value) => value,
            None => self.at_normal_form(uri, now, fresh),
        }
    }

    #[cold]
    fn at_normal_form(
        &self,
        uri: &Uri,
        now: impl FnOnce() -> Instant,
        fresh: impl FnOnce() -> T,
    ) -> Arc<T> {
        let form = normal_form(uri);
        self.kept_or_inserted(Key::as_normal(uri, &form), now, fresh)
    }

    #[inline]
    fn kept_or_inserted(
        &self,
        key: Key<'_>,
        now: impl FnOnce() -> Instant,
        fresh: impl FnOnce() -> T,
    ) -> Arc<T> {
        let hash = self.seed.hash(key);
        match self.kept(key, hash) {
            Some(value) => value,
            None => self.insert(key, hash, now(), fresh()),
        }
    }

    /// A first call, or one for which there is no room: not the path that counts.
    #[cold]
    fn insert(&self, key: Key<'_>, hash: u64, now: Instant, fresh: T) -> Arc<T> {
        let fresh = Arc::new(fresh);
        // What goes is dropped when the lock is free again.
        let _gone;
        let mut shard = self.shard(hash).write();
        if let Some(value) = shard.get(hash, key) {
            return Arc::clone(value);
        }
        if shard.len() < self.cap_per_shard {
            shard.push(hash, key, Arc::clone(&fresh));
            self.len.fetch_add(1, Ordering::Relaxed);
        } else if let Some(at) = shard.spare(now) {
            _gone = shard.replace(at, hash, key, Arc::clone(&fresh));
        } else {
            let shared = shard.overflow.get_or_insert_with(|| Arc::clone(&fresh));
            return Arc::clone(shared);
        }
        fresh
    }
}

impl<T> fmt::Debug for Keyed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyed")
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::collections::HashSet;
    use std::panic::{self, AssertUnwindSafe};
    use std::sync::atomic::AtomicBool;
    use std::sync::{Barrier, Weak};
    use std::thread;
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    /// An entry that is spare from an instant on, and remembers who asked for it.
    struct Held {
        until: Instant,
        by: Vec<u8>,
    }

    impl Spare for Held {
        fn is_spare(&self, now: Instant) -> bool {
            self.until <= now
        }
    }

    fn key(number: usize) -> Vec<u8> {
        number.to_be_bytes().to_vec()
    }

    fn ask(table: &Keyed<Held>, number: usize, now: Instant, hold: Duration) -> Vec<u8> {
        let until = now + hold;
        let by = key(number);
        let held = table.get_or_insert(&key(number), || now, || Held { until, by });
        held.by.clone()
    }

    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn a_flood_of_keys_keeps_the_cap_and_what_remembers() {
        let (table, now) = (Keyed::new(1_000), Instant::now());
        ask(&table, 0, now, HOUR);
        for number in 1..100_000 {
            ask(&table, number, now, Duration::ZERO);
        }
        assert!(table.len() <= 1_000, "{}", table.len());
        assert!(table.len() >= 900, "{}", table.len());
        assert_eq!(table.get(&key(0)).unwrap().by, key(0));
    }

    #[test]
    fn keys_without_room_share_an_entry_and_are_not_refused() {
        let (table, now) = (Keyed::new(2), Instant::now());
        for number in 0..2 {
            assert_eq!(ask(&table, number, now, HOUR), key(number));
        }
        assert_eq!(ask(&table, 2, now, HOUR), key(2));
        assert_eq!(ask(&table, 3, now, HOUR), key(2), "shared with the first");
        assert_eq!(table.get(&key(4)).unwrap().by, key(2));
        assert_eq!((table.len(), table.values().len()), (2, 3));
        assert_eq!(ask(&table, 5, now + HOUR, HOUR), key(5), "room again");
    }

    #[test]
    fn every_spelling_of_an_endpoint_meets_the_same_entry() {
        let (table, now) = (Keyed::new(10), Instant::now());
        let mut made = 0;
        let letters = "http://upstream.example";
        for case in 0..1_u32 << 15 {
            let upper = |(n, letter): (usize, char)| match case >> n & 1 {
                1 if n >= 7 => letter.to_ascii_uppercase(),
                _ => letter,
            };
            let host: String = letters.chars().enumerate().map(upper).collect();
            let tail = ["", ":80", ":", "/path"][case as usize % 4];
            let uri = format!("{host}{tail}").parse().unwrap();
            let fresh = || {
                made += 1;
                let by = Vec::new();
                Held { until: now, by }
            };
            let entry = table.at(&uri, || now, fresh);
            assert!(Arc::ptr_eq(&entry, &table.find(&uri).unwrap()));
        }
        assert_eq!((made, table.len()), (1, 1));
        assert!(table.get(b"upstream.example").is_none(), "other bytes");
    }

    #[test]
    fn an_entry_in_somebodys_hands_stays() {
        let (table, now) = (Keyed::new(1), Instant::now());
        ask(&table, 0, now, Duration::ZERO);
        let in_flight = table.get(&key(0)).unwrap();
        ask(&table, 1, now, Duration::ZERO);
        assert!(Arc::ptr_eq(&in_flight, &table.get(&key(0)).unwrap()));
        drop(in_flight);
        ask(&table, 2, now, Duration::ZERO);
        assert_eq!(table.get(&key(2)).unwrap().by, key(2));
    }

    #[test]
    fn a_forgotten_key_is_welcome_back() {
        let (table, now) = (Keyed::new(1), Instant::now());
        for number in [0, 1, 0, 1] {
            assert_eq!(ask(&table, number, now, Duration::ZERO), key(number));
            assert_eq!(table.values().len(), 1, "no need of the overflow entry");
        }
    }

    #[test]
    fn an_insertion_looks_at_eight_entries_and_no_more() {
        struct Looked(AtomicBool);
        impl Spare for Looked {
            fn is_spare(&self, _: Instant) -> bool {
                self.0.store(true, Ordering::Relaxed);
                false
            }
        }
        let (table, now) = (Keyed::new(60), Instant::now());
        for number in 0..61 {
            table.get_or_insert(&key(number), || now, || Looked(AtomicBool::new(false)));
        }
        let looked = |table: &Keyed<Looked>| {
            let values = table.values();
            values
                .iter()
                .filter(|entry| entry.0.load(Ordering::Relaxed))
                .count()
        };
        assert_eq!(looked(&table), 8);
        table.get_or_insert(&key(61), || now, || Looked(AtomicBool::new(false)));
        assert_eq!(looked(&table), 16, "the next eight");
    }

    #[test]
    fn the_clock_is_read_for_a_new_key_only() {
        let (table, now) = (Keyed::new(10), Instant::now());
        let uri = "http://a.example".parse().unwrap();
        let held = || Held {
            until: now,
            by: Vec::new(),
        };
        let reads = Cell::new(0);
        let clock = || {
            reads.set(reads.get() + 1);
            now
        };
        for _ in 0..3 {
            table.at(&uri, clock, held);
            table.get_or_insert(b"a", clock, held);
        }
        assert_eq!(reads.get(), 2);
    }

    #[test]
    fn two_threads_that_miss_at_once_get_the_same_entry() {
        let (table, now, both_missed) = (Keyed::new(100), Instant::now(), Barrier::new(2));
        let ask = || {
            table.get_or_insert(
                b"one",
                || now,
                || {
                    both_missed.wait();
                    Held {
                        until: now,
                        by: Vec::new(),
                    }
                },
            )
        };
        let (one, other) = thread::scope(|scope| {
            let other = scope.spawn(ask);
            (ask(), other.join().unwrap())
        });
        assert!(Arc::ptr_eq(&one, &other));
        assert_eq!(table.len(), 1);
    }

    #[test]
    fn what_goes_is_dropped_when_the_lock_is_free() {
        struct Nosy(Weak<Keyed<Nosy>>, Arc<AtomicUsize>);
        impl Spare for Nosy {
            fn is_spare(&self, _: Instant) -> bool {
                true
            }
        }
        impl Drop for Nosy {
            fn drop(&mut self) {
                let free = |table: Arc<Keyed<Nosy>>| table.shards[0].is_free();
                let free = self.0.upgrade().is_some_and(free);
                self.1.fetch_add(usize::from(free), Ordering::Relaxed);
            }
        }
        let (table, dropped) = (Arc::new(Keyed::new(1)), Arc::new(AtomicUsize::new(0)));
        let ask = |number: usize| {
            let nosy = || Nosy(Arc::downgrade(&table), Arc::clone(&dropped));
            table.get_or_insert(&key(number), Instant::now, nosy)
        };
        drop(ask(0));
        let held = ask(1);
        assert_eq!(dropped.load(Ordering::Relaxed), 1, "replaced");
        drop([ask(2), ask(3)]);
        assert_eq!(dropped.load(Ordering::Relaxed), 2, "too many for overflow");
        drop(held);
    }

    #[test]
    fn a_panic_under_the_lock_does_not_end_the_table() {
        struct Bad;
        impl Spare for Bad {
            fn is_spare(&self, _: Instant) -> bool {
                panic!("asked")
            }
        }
        let table = Keyed::new(1);
        table.get_or_insert(b"a", Instant::now, || Bad);
        let ask = || table.get_or_insert(b"b", Instant::now, || Bad);
        assert!(panic::catch_unwind(AssertUnwindSafe(ask)).is_err());
        assert!(table.get(b"a").is_some() && table.get(b"b").is_none());
        assert_eq!((table.len(), table.values().len()), (1, 1));
    }

    proptest! {
        #[test]
        fn whatever_is_asked_the_cap_holds_and_what_remembers_stays(
            cap in 1_usize..200,
            asked in prop::collection::vec((0_usize..400, any::<bool>()), 1..600),
        ) {
            let (table, now) = (Keyed::new(cap), Instant::now());
            let mut remembering = HashSet::new();
            for (number, hold) in asked {
                let len = table.len();
                let got = ask(&table, number, now, if hold { HOUR } else { Duration::ZERO });
                if hold && table.len() > len {
                    remembering.insert(number);
                }
                prop_assert!(got == key(number) || !remembering.contains(&number));
                prop_assert!(table.len() <= cap);
            }
        }
    }
}
