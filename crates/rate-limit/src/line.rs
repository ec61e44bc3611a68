use std::collections::BTreeMap;
use std::mem;
use std::task::Waker;

/// How long after its turn a waiting call may still be polled before it loses its place: the others do
/// not wait for a future that nobody polls. In nanoseconds.
pub(crate) const GRACE: u64 = 50_000_000;

/// The calls that wait for tokens, in the order in which they came.
///
/// Wakers that are needed no more are handed out: to drop one may drop a task, and with it a call that
/// leaves this line.
#[derive(Debug, Default)]
pub(crate) struct Line {
    waiting: BTreeMap<u64, Waiter>,
    /// The tokens that all of them wait for.
    cost: u64,
    next: u64,
}

#[derive(Debug)]
struct Waiter {
    cost: u32,
    /// When its timer is to wake it.
    at: u64,
    waker: Waker,
}

/// The first in line.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head {
    pub(crate) place: u64,
    pub(crate) cost: u32,
    pub(crate) at: u64,
}

impl Line {
    /// Stands at the end, to be called at `at`. The answer is the number of the place.
    pub(crate) fn join(&mut self, cost: u32, at: u64) -> u64 {
        let place = self.next;
        self.next += 1;
        self.cost += u64::from(cost);
        let waker = Waker::noop().clone();
        self.waiting.insert(place, Waiter { cost, at, waker });
        place
    }

    /// Leaves, if it was in the line.
    #[must_use = "a waker is dropped when no lock is held"]
    pub(crate) fn leave(&mut self, place: u64) -> Option<Waker> {
        let left = self.waiting.remove(&place)?;
        self.cost -= u64::from(left.cost);
        Some(left.waker)
    }

    /// The first one.
    pub(crate) fn head(&self) -> Option<Head> {
        let (place, head) = self.waiting.first_key_value()?;
        Some(Head {
            place: *place,
            cost: head.cost,
            at: head.at,
        })
    }

    /// Tells the first one that its turn is at `at`; the waker is to be woken when that is news to it.
    pub(crate) fn call_head(&mut self, at: u64) -> Option<Waker> {
        let mut head = self.waiting.first_entry()?;
        let head = head.get_mut();
        let news = at < head.at;
        head.at = head.at.min(at);
        news.then(|| head.waker.clone())
    }

    /// Sends away those at the front, before `place`, who did not come when it was their turn.
    #[must_use = "a waker is dropped when no lock is held"]
    pub(crate) fn send_away(&mut self, place: u64, now: u64) -> Vec<Waker> {
        let mut away = Vec::new();
        while let Some(head) = self.waiting.first_entry() {
            if *head.key() >= place || head.get().at.saturating_add(GRACE) > now {
                break;
            }
            let head = head.remove();
            self.cost -= u64::from(head.cost);
            away.push(head.waker);
        }
        away
    }

    /// When this place is called, if it is still held.
    pub(crate) fn turn(&self, place: u64) -> Option<u64> {
        self.waiting.get(&place).map(|waiter| waiter.at)
    }

    /// Has this place also woken by `waker`, and no more by the one before.
    #[must_use = "a waker is dropped when no lock is held"]
    pub(crate) fn listen(&mut self, place: u64, waker: &Waker) -> Option<Waker> {
        let waiter = self.waiting.get_mut(&place)?;
        let other = !waiter.waker.will_wake(waker);
        other.then(|| mem::replace(&mut waiter.waker, waker.clone()))
    }

    /// Has this place called at another instant.
    pub(crate) fn put_off(&mut self, place: u64, at: u64) {
        if let Some(waiter) = self.waiting.get_mut(&place) {
            waiter.at = at;
        }
    }

    /// A while after which the first one must have been there or lost its place.
    pub(crate) fn grace(&self) -> u64 {
        let head = self.waiting.first_key_value();
        head.map_or(0, |(_, head)| head.at.saturating_add(GRACE))
    }

    /// The tokens that all of them wait for.
    pub(crate) fn cost(&self) -> u64 {
        self.cost
    }

    /// How many wait.
    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}
