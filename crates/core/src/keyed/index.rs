use std::mem;

/// Where the entries of a hash stand in a list: open addressing with linear probing, at most a quarter
/// full.
///
/// What is removed leaves no trace (Knuth, The Art of Computer Programming 3, 6.4, algorithm R). So a
/// search looks at 1.2 slots, and one in vain at 1.4, however many entries came and went.
#[derive(Debug, Default)]
pub(super) struct Index {
    /// None at first, then a power of two.
    slots: Box<[Slot]>,
    taken: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Slot {
    hash: u32,
    at: u32,
}

impl Slot {
    const FREE: Self = Self {
        hash: 0,
        at: u32::MAX,
    };

    fn new(hash: u32, at: usize) -> Self {
        let at = at as u32;
        Self { hash, at }
    }

    #[inline]
    fn is_free(self) -> bool {
        self.at == u32::MAX
    }
}

impl Index {
    /// The most places there can be.
    pub(super) const MOST: usize = 1 << 30;

    /// Notes that an entry of this hash stands at a place, which is below [`MOST`](Self::MOST).
    pub(super) fn insert(&mut self, hash: u32, at: usize) {
        if self.slots.len() < 4 * (self.taken + 1) {
            self.grow();
        }
        self.put(Slot::new(hash, at));
        self.taken += 1;
    }

    /// Forgets that an entry of this hash stands at a place.
    pub(super) fn remove(&mut self, hash: u32, at: usize) {
        let (slot, mut hole) = (Slot::new(hash, at), self.wrap(hash as usize));
        while self.slots[hole] != slot {
            if self.slots[hole].is_free() {
                return;
            }
            hole = self.wrap(hole + 1);
        }
        // What follows moves up, unless its own slot comes after the hole.
        let mut next = hole;
        loop {
            next = self.wrap(next + 1);
            let slot = self.slots[next];
            if slot.is_free() {
                break;
            }
            let from = |start: usize| self.wrap(next.wrapping_sub(start));
            if from(slot.hash as usize) >= from(hole) {
                self.slots[hole] = slot;
                hole = next;
            }
        }
        self.slots[hole] = Slot::FREE;
        self.taken -= 1;
    }

    /// What there is to say of the places of this hash: the first that there is.
    #[inline(always)] // a key that is looked for stays in registers
    pub(super) fn find<R>(&self, hash: u32, mut say: impl FnMut(usize) -> Option<R>) -> Option<R> {
        let mut at = hash as usize;
        loop {
            let slot = self
                .slots
                .get(self.wrap(at))
                .filter(|slot| !slot.is_free())?;
            if slot.hash == hash
                && let Some(said) = say(slot.at as usize)
            {
                return Some(said);
            }
            at = at.wrapping_add(1);
        }
    }

    #[inline]
    fn wrap(&self, at: usize) -> usize {
        at & self.slots.len().wrapping_sub(1)
    }

    /// Puts what is new into the first free slot from its own on.
    fn put(&mut self, new: Slot) {
        let mut at = self.wrap(new.hash as usize);
        while !self.slots[at].is_free() {
            at = self.wrap(at + 1);
        }
        self.slots[at] = new;
    }

    fn grow(&mut self) {
        let len = (2 * self.slots.len()).max(8);
        let old = mem::replace(&mut self.slots, vec![Slot::FREE; len].into());
        for slot in old.iter().filter(|slot| !slot.is_free()) {
            self.put(*slot);
        }
    }
}

#[cfg(test)]
impl Index {
    pub(super) fn slots(&self) -> usize {
        self.slots.len()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn places(index: &Index, hash: u32) -> Vec<usize> {
        let mut places = Vec::new();
        let _: Option<()> = index.find(hash, |at| {
            places.push(at);
            None
        });
        places.sort_unstable();
        places
    }

    fn taken(index: &Index) -> usize {
        index.slots.iter().filter(|slot| !slot.is_free()).count()
    }

    /// Hashes that share slots, also around the end of the table.
    fn hashes() -> impl Strategy<Value = u32> {
        (
            prop::sample::select(vec![0_u32, 1, 6, 7, 15, 31, u32::MAX]),
            0_u32..3,
        )
            .prop_map(|(low, high)| low ^ high << 16)
    }

    proptest! {
        #[test]
        fn places_are_found_as_in_a_plain_list(
            steps in prop::collection::vec((hashes(), any::<bool>(), any::<prop::sample::Index>()), 1..300),
        ) {
            let (mut index, mut model) = (Index::default(), Vec::new());
            for (at, (hash, adds, which)) in steps.into_iter().enumerate() {
                if adds || model.is_empty() {
                    index.insert(hash, at);
                    model.push((hash, at));
                } else {
                    let (hash, at) = model.swap_remove(which.index(model.len()));
                    index.remove(hash, at);
                    index.remove(hash, at);
                }
                prop_assert_eq!(taken(&index), model.len());
                prop_assert!(index.slots.len() >= 4 * model.len());
                for (hash, _) in &model {
                    let same = model.iter().filter(|(other, _)| other == hash);
                    let mut expected: Vec<_> = same.map(|(_, at)| *at).collect();
                    expected.sort_unstable();
                    prop_assert_eq!(places(&index, *hash), expected);
                }
            }
        }
    }

    #[test]
    fn an_empty_index_has_no_places() {
        let mut index = Index::default();
        assert_eq!(places(&index, 7), []);
        index.insert(7, 0);
        index.remove(7, 0);
        assert_eq!((places(&index, 7), taken(&index)), (vec![], 0));
    }

    #[test]
    fn a_flood_leaves_no_trace() {
        let mut index = Index::default();
        let hash = |n: usize| (n as u32).wrapping_mul(0x9e37_79b9).rotate_left(15);
        for n in 0..200_000 {
            if n >= 500 {
                index.remove(hash(n - 500), n - 500);
            }
            index.insert(hash(n), n);
        }
        assert_eq!((taken(&index), index.slots.len()), (500, 2_048));
        let longest = |(longest, run): (usize, usize), slot: &Slot| match slot.is_free() {
            true => (longest, 0),
            false => (longest.max(run + 1), run + 1),
        };
        let (longest, _) = index.slots.iter().fold((0, 0), longest);
        assert!(longest < 30, "{longest} slots in a row");
    }
}
