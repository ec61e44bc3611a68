use std::collections::{BTreeMap, BTreeSet};
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
    pub(crate) fn enter(&self, room: usize) -> Entrance {
        let mut state = self.lock();
        if state.taken < self.permits && state.waiting.is_empty() {
            state.taken += 1;
            return Entrance::Open;
        }
        if state.waiting.len() >= room {
            state.refused += 1;
            return Entrance::Full;
        }
        let place = state.next;
        state.next += 1;
        state.waiting.insert(place, Waker::noop().clone());
        Entrance::Line(place)
    }

    /// Fetches the permit of a place, or has `waker` woken when there is one.
    pub(crate) fn fetch(&self, place: u64, waker: &Waker) -> Poll<()> {
        let mut state = self.lock();
        if state.given.remove(&place) {
            return Poll::Ready(());
        }
        if let Some(known) = state.waiting.get_mut(&place) {
            known.clone_from(waker);
        }
        Poll::Pending
    }

    /// Gives a place up; with `refused` because it was waited for too long.
    pub(crate) fn leave(&self, place: u64, refused: bool) {
        let mut state = self.lock();
        state.refused += u64::from(refused);
        state.waiting.remove(&place);
        if state.given.remove(&place) {
            drop(state);
            self.release();
        }
    }

    /// Gives a permit back: the first in line has it next.
    pub(crate) fn release(&self) {
        let mut state = self.lock();
        match state.waiting.pop_first() {
            Some((place, waker)) => {
                state.given.insert(place);
                drop(state);
                // No lock is held: a waker is somebody else's code.
                waker.wake();
            }
            None => state.taken -= 1,
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

impl Spare for Gate {
    fn is_spare(&self, _: Instant) -> bool {
        self.lock().taken == 0
    }
}
