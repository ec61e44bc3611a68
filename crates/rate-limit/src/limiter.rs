use std::sync::PoisonError;
use std::task::Waker;

use crate::Quota;
use crate::advice::Advice;
use crate::brake::{Brake, WHOLE};
use crate::bucket::Bucket;
use crate::line::{GRACE, Line};
use crate::sync::{AtomicBool, AtomicU64, Mutex, MutexGuard, Ordering};

/// The limit of one endpoint: a bucket, the calls that wait for its tokens, and what the server asked
/// for. It is told the time, in nanoseconds of its life.
///
/// A token is taken when its call goes, never before: whatever becomes of those who wait, what goes is
/// what the bucket allows. While nobody waits and no server asks for less, the bucket's one atomic is
/// all there is to it.
#[derive(Debug)]
pub(crate) struct Limiter {
    bucket: Bucket,
    /// Whether a call must look under the lock.
    slow: AtomicBool,
    state: Mutex<State>,
    refused: AtomicU64,
}

#[derive(Debug)]
struct State {
    line: Line,
    brake: Brake,
}

/// What becomes of a call that asks.
#[derive(Debug)]
pub(crate) enum Admission {
    /// There is a token for it, to be [taken](Limiter::take) when it goes.
    Go,
    /// It has this place in the line.
    Wait(u64),
    /// It would have to wait until then, and must not.
    Refused(u64),
}

/// How a place in the line stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// There is a token for it.
    Now,
    /// It is to ask again then, or when it is woken.
    At(u64),
    /// It would have to wait until then, and must not.
    TooLate(u64),
    /// It was not there when it was its turn.
    Lost,
}

/// What feedback may do at most.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// The longest time without a call, in nanoseconds.
    pub(crate) hold: u64,
    /// The smallest share of the quota, in thousandths.
    pub(crate) share: u64,
}

/// A moment of a limiter.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reading {
    pub(crate) available: u64,
    pub(crate) waiting: usize,
    pub(crate) refused: u64,
    pub(crate) share: u64,
    pub(crate) next: u64,
}

impl Limiter {
    pub(crate) fn new(quota: Quota) -> Self {
        Self {
            bucket: Bucket::full(quota),
            slow: AtomicBool::new(false),
            state: Mutex::new(State {
                line: Line::default(),
                brake: Brake::released(),
            }),
            refused: AtomicU64::new(0),
        }
    }

    /// Whether there are tokens for a call of this cost, and nobody waits for them. One that costs
    /// nothing need not ask.
    #[inline]
    pub(crate) fn is_free(&self, now: u64, cost: u32) -> bool {
        cost == 0 || !self.slow.load(Ordering::Relaxed) && self.bucket.slot(now, cost.into()) <= now
    }

    /// Gives a call a place in the line, if its turn comes until `latest` and fewer than `room` are
    /// there.
    pub(crate) fn line_up(&self, now: u64, cost: u32, latest: u64, room: usize) -> Admission {
        let mut away = Vec::new();
        let mut state = self.lock();
        let mut at = self.slot(&state, now, state.line.cost(), cost);
        if at > latest || state.line.len() >= room {
            // Before anybody is refused, those go who do not come.
            away = state.line.send_away(u64::MAX, now);
            at = self.slot(&state, now, state.line.cost(), cost);
        }
        let admission = if at <= now && state.line.is_empty() {
            Admission::Go
        } else if at > latest || state.line.len() >= room {
            self.refused.fetch_add(1, Ordering::Relaxed);
            Admission::Refused(at)
        } else {
            Admission::Wait(state.line.join(cost, at))
        };
        self.settle(state, now);
        drop(away);
        admission
    }

    /// Takes the tokens of a call that goes now, and has no place in the line.
    ///
    /// # Errors
    /// When there are none, or others wait for them.
    #[inline]
    pub(crate) fn take(&self, now: u64, cost: u32) -> Result<(), u64> {
        if cost == 0 {
            Ok(())
        } else if !self.slow.load(Ordering::Relaxed) {
            self.bucket.take(now, cost)
        } else {
            self.take_slowly(now, cost)
        }
    }

    /// Heeds an answer to a call that went at `went`. It can only slow down.
    pub(crate) fn heed(&self, advice: Advice, now: u64, went: u64, bounds: Bounds, die: u64) {
        let mut state = self.lock();
        if advice.throttled {
            state.brake.halve(now, went, bounds.share);
        }
        if let Some(interval) = advice.interval {
            let share = self.bucket.interval().saturating_mul(WHOLE) / interval.max(1);
            state.brake.slow(now, share.max(bounds.share));
        }
        if let Some(hold) = advice.hold {
            let hold = hold.min(bounds.hold);
            // Not all come back at once.
            let spread = (u128::from(hold / 10) * u128::from(die)) >> u64::BITS;
            let until = now.saturating_add(hold);
            let until = until.saturating_add(u64::try_from(spread).unwrap_or_default());
            state.brake.hold(now, until);
        }
        self.settle(state, now);
    }

    /// Whether it is as good as new.
    pub(crate) fn is_spare(&self, now: u64) -> bool {
        if !self.bucket.is_full(now) {
            return false;
        }
        let state = self.lock();
        state.line.is_empty() && !state.brake.is_on(now)
    }

    /// How it stands.
    pub(crate) fn read(&self, now: u64) -> Reading {
        let state = self.lock();
        let next = state.brake.slot(now, 0, self.bucket.interval());
        Reading {
            available: self.bucket.available(now),
            waiting: state.line.len(),
            refused: self.refused.load(Ordering::Relaxed),
            share: state.brake.share(now),
            next,
        }
    }

    /// How the place stands; it is woken by `waker` when its turn comes earlier than it was told.
    pub(crate) fn turn(&self, place: u64, now: u64, latest: u64, waker: &Waker) -> Turn {
        let mut state = self.lock();
        let away = state.line.send_away(place, now);
        let before = state.line.listen(place, waker);
        let turn = self.turn_of(&mut state, place, now, latest);
        self.settle(state, now);
        drop((away, before));
        turn
    }

    /// Takes the tokens of the call at this place, which goes now; whether it could.
    pub(crate) fn take_at(&self, place: u64, now: u64) -> bool {
        let mut state = self.lock();
        let head = state.line.head().filter(|head| head.place == place);
        let Some(head) = head else {
            return false;
        };
        let free = state.brake.slot(now, 0, self.bucket.interval()) <= now;
        if !free || self.bucket.take_late(now, head.at, head.cost).is_err() {
            return false;
        }
        state.brake.go(now, head.cost, self.bucket.interval());
        let left = state.line.leave(place);
        self.settle(state, now);
        drop(left);
        true
    }

    /// Gives a place up.
    pub(crate) fn leave(&self, place: u64, now: u64) {
        let mut state = self.lock();
        let left = state.line.leave(place);
        self.settle(state, now);
        drop(left);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cold]
    fn take_slowly(&self, now: u64, cost: u32) -> Result<(), u64> {
        let mut state = self.lock();
        let at = self.slot(&state, now, state.line.cost(), cost);
        if at > now || !state.line.is_empty() {
            return Err(at);
        }
        self.bucket.take(now, cost)?;
        state.brake.go(now, cost, self.bucket.interval());
        Ok(())
    }

    fn turn_of(&self, state: &mut State, place: u64, now: u64, latest: u64) -> Turn {
        let Some(told) = state.line.turn(place) else {
            return Turn::Lost;
        };
        let head = state.line.head().filter(|head| head.place == place);
        let at = match head {
            Some(head) => self.slot(state, now, 0, head.cost),
            None if told > now => told,
            // It is woken when the first has gone, or takes the turn of one that does not come.
            None => {
                let last = self.slot(state, now, state.line.cost(), 0);
                last.max(state.line.grace())
            }
        };
        if at <= now {
            return Turn::Now;
        }
        state.line.put_off(place, at);
        // Those before it whose turn is at the same instant go first.
        let last = latest.saturating_add(GRACE);
        if now >= last || head.is_some() && at > latest {
            self.refused.fetch_add(1, Ordering::Relaxed);
            return Turn::TooLate(at);
        }
        Turn::At(at.min(last))
    }

    /// The instant from which on a call may go, after others that take so many tokens.
    fn slot(&self, state: &State, now: u64, before: u64, cost: u32) -> u64 {
        let tokens = before.saturating_add(cost.into());
        let braked = state.brake.slot(now, before, self.bucket.interval());
        self.bucket.slot(now, tokens).max(braked)
    }

    /// Tells the first in line when its turn is, and everybody whether the lock matters.
    fn settle(&self, mut state: MutexGuard<'_, State>, now: u64) {
        let slow = !state.line.is_empty() || state.brake.is_on(now);
        self.slow.store(slow, Ordering::Relaxed);
        let next = state.line.head().and_then(|head| {
            let at = self.slot(&state, now, 0, head.cost);
            state.line.call_head(at)
        });
        drop(state);
        // No lock is held: a waker is somebody else's code.
        if let Some(waker) = next {
            waker.wake();
        }
    }
}

#[cfg(all(test, outrigger_loom))]
mod loom_tests;
#[cfg(test)]
mod tests;
