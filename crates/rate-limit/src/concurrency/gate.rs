use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::num::NonZeroU32;
use std::sync::PoisonError;
use std::task::{Poll, Waker};

use outrigger_core::Spare;
use tokio::time::Instant;

use crate::sync::{Mutex, MutexGuard};

/// So many permits, and those who wait for one, in the order in which they came.
#[derive(Debug)]
pub(crate) struct Gate {
    permits: u32,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    taken: u32,
    waiting: BTreeMap<u64, Waker>,
    /// The places that were given a permit and have not fetched it yet. Each is among the taken.
    given: BTreeSet<u64>,
    next: u64,
    refused: u64,
}

/// What becomes of a call that asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entrance {
    /// It has a permit.
    Open,
    /// It has this place in the line.
    Line(u64),
    /// There is neither.
    Full,
}

/// A moment of a gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reading {
    pub(crate) available: u32,
    pub(crate) waiting: usize,
    pub(crate) refused: u64,
}

impl Gate {
    pub(crate) fn new(permits: NonZeroU32) -> Self {
        Self {
            permits: permits.get(),
            state: Mutex::default(),
        }
    }

    /// Takes a permit, or a place in the line when fewer than `room` are there.
    #[inline]
    pub(crate) fn enter(&self, room: usize) -> Entrance {
        let mut state = self.lock();
        // Where somebody waits, none is left.
        if state.taken < self.permits {
            state.taken += 1;
            return Entrance::Open;
        }
        state.line_up(room)
    }

    /// Fetches the permit of a place, or has `waker` woken when there is one.
    pub(crate) fn fetch(&self, place: u64, waker: &Waker) -> Poll<()> {
        let mut state = self.lock();
        if state.given.remove(&place) {
            return Poll::Ready(());
        }
        let known = state.waiting.get_mut(&place);
        let known = known.filter(|known| !known.will_wake(waker));
        let before = known.map(|known| mem::replace(known, waker.clone()));
        // No lock is held: to drop a waker may drop a task, and with it a call that leaves.
        drop(state);
        drop(before);
        Poll::Pending
    }

    /// Gives a place up, if it is still held; with `refused` because it was waited for too long.
    pub(crate) fn leave(&self, place: u64, refused: bool) {
        let mut state = self.lock();
        state.refused += u64::from(refused);
        let left = state.waiting.remove(&place);
        let given = state.given.remove(&place);
        drop(state);
        drop(left);
        if given {
            self.release();
        }
    }

    /// Gives a permit back: the first in line has it next.
    #[inline]
    pub(crate) fn release(&self) {
        let mut state = self.lock();
        if state.waiting.is_empty() {
            state.taken -= 1;
        } else {
            pass_on(state);
        }
    }

    /// How it stands.
    pub(crate) fn read(&self) -> Reading {
        let state = self.lock();
        Reading {
            available: self.permits - state.taken,
            waiting: state.waiting.len(),
            refused: state.refused,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    #[cold]
    fn line_up(&mut self, room: usize) -> Entrance {
        if self.waiting.len() >= room {
            self.refused += 1;
            return Entrance::Full;
        }
        let place = self.next;
        self.next += 1;
        self.waiting.insert(place, Waker::noop().clone());
        Entrance::Line(place)
    }
}

/// Gives a permit to the first in line.
#[cold]
fn pass_on(mut state: MutexGuard<'_, State>) {
    if let Some((place, waker)) = state.waiting.pop_first() {
        state.given.insert(place);
        drop(state);
        // No lock is held: a waker is somebody else's code.
        waker.wake();
    }
}

impl Spare for Gate {
    fn is_spare(&self, _: Instant) -> bool {
        self.lock().taken == 0
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use proptest::prelude::*;

    use super::*;

    fn gate(permits: u32) -> Gate {
        Gate::new(NonZeroU32::new(permits).unwrap())
    }

    /// The waker of a task that nobody else holds: it ends with it, and what it waits for looks at the
    /// gate.
    struct Last(Arc<Gate>, Arc<AtomicUsize>);

    impl Wake for Last {
        fn wake(self: Arc<Self>) {}
    }

    impl Drop for Last {
        fn drop(&mut self) {
            let locked = self.0.state.try_lock().is_err();
            assert!(!locked, "a call that leaves would wait for itself");
            self.1.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn no_waker_is_dropped_under_the_lock() {
        let (gate, ended) = (Arc::new(gate(1)), Arc::new(AtomicUsize::new(0)));
        assert_eq!(gate.enter(9), Entrance::Open);
        let wait = || {
            let Entrance::Line(place) = gate.enter(9) else {
                unreachable!()
            };
            let last = Last(Arc::clone(&gate), Arc::clone(&ended));
            assert!(gate.fetch(place, &Arc::new(last).into()).is_pending());
            place
        };
        let (leaves, moves) = (wait(), wait());
        gate.leave(leaves, false);
        assert!(gate.fetch(moves, Waker::noop()).is_pending());
        assert_eq!(ended.load(Ordering::Relaxed), 2);
    }

    proptest! {
        #[test]
        fn it_gives_what_a_plain_list_would(
            permits in 1_u32..4,
            room in 0_usize..5,
            steps in prop::collection::vec((0_u8..5, any::<prop::sample::Index>()), 1..200),
        ) {
            let gate = gate(permits);
            // Those inside, and those in line: the first of the line are inside as soon as there is room.
            let (mut inside, mut line) = (0_usize, Vec::new());
            for (event, which) in steps {
                let given = (permits as usize - inside).min(line.len());
                match event {
                    0 | 1 => match gate.enter(room) {
                        Entrance::Open => {
                            prop_assert!(inside + line.len() < permits as usize);
                            inside += 1;
                        }
                        Entrance::Line(place) => line.push(place),
                        Entrance::Full => prop_assert!(line.len() - given >= room && inside + given == permits as usize),
                    },
                    2 if inside > 0 => {
                        gate.release();
                        inside -= 1;
                    }
                    3 if !line.is_empty() => {
                        let gone = line.remove(which.index(line.len()));
                        gate.leave(gone, false);
                    }
                    4 if !line.is_empty() => {
                        let at = which.index(line.len());
                        let fetched = gate.fetch(line[at], Waker::noop()).is_ready();
                        prop_assert_eq!(fetched, at < given);
                        if fetched {
                            line.remove(at);
                            inside += 1;
                        }
                    }
                    _ => {}
                }
                let given = (permits as usize - inside).min(line.len());
                let reading = gate.read();
                prop_assert_eq!(reading.available as usize, permits as usize - inside - given);
                prop_assert_eq!(reading.waiting, line.len() - given);
            }
        }
    }
}

#[cfg(all(test, outrigger_loom))]
mod loom_tests {
    use std::sync::Arc;

    use loom::thread;

    use super::*;

    #[test]
    fn a_permit_that_is_released_while_its_next_owner_leaves_is_not_lost() {
        loom::model(|| {
            let gate = Arc::new(Gate::new(NonZeroU32::MIN));
            assert_eq!(gate.enter(9), Entrance::Open);
            let Entrance::Line(place) = gate.enter(9) else {
                unreachable!()
            };
            let leaving = Arc::clone(&gate);
            let leaving = thread::spawn(move || leaving.leave(place, false));
            gate.release();
            leaving.join().unwrap();
            assert_eq!(gate.read().available, 1);
        });
    }

    #[test]
    fn three_that_want_one_permit_get_it_one_after_the_other() {
        loom::model(|| {
            let gate = Arc::new(Gate::new(NonZeroU32::MIN));
            let others = [(); 2].map(|()| {
                let gate = Arc::clone(&gate);
                thread::spawn(move || match gate.enter(0) {
                    Entrance::Open => {
                        gate.release();
                        1
                    }
                    _ => 0,
                })
            });
            let entered: usize = others.map(|other| other.join().unwrap()).into_iter().sum();
            assert!(entered >= 1);
            assert_eq!(gate.read().available, 1);
        });
    }
}
