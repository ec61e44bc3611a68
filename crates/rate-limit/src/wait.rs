use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use outrigger_core::Deadline;
use tokio::time::{Sleep, sleep_until};

use crate::Limited;
use crate::entry::Entry;
use crate::limiter::{Admission, Turn};

/// A call that waits for its tokens, or has yet to take them. Dropped, it gives its place to the next.
#[derive(Debug)]
pub(crate) struct Wait {
    entry: Arc<Entry>,
    cost: u32,
    /// How much longer it may stand in the line, in nanoseconds.
    patience: u64,
    deadline: Option<Deadline>,
    place: Option<Place>,
    timer: Option<Pin<Box<Sleep>>>,
}

/// A place in the line.
#[derive(Clone, Copy, Debug)]
struct Place {
    number: u64,
    since: u64,
    latest: u64,
}

impl Wait {
    /// Begins to wait for a call that has not asked yet.
    pub(crate) fn new(entry: Arc<Entry>, cost: u32, deadline: Option<Deadline>) -> Self {
        Self {
            patience: entry.rules.patience,
            entry,
            cost,
            deadline,
            place: None,
            timer: None,
        }
    }

    /// Takes a place in the line, unless there are tokens for it now.
    ///
    /// # Errors
    /// When its turn comes too late.
    pub(crate) fn line_up(&mut self, now: u64) -> Result<(), Limited> {
        let rules = &self.entry.rules;
        let latest = now.saturating_add(self.patience);
        let deadline = self.deadline.map(|deadline| rules.told(deadline.instant()));
        // At its deadline nobody wants the call any more.
        let latest = deadline.map_or(latest, |deadline| latest.min(deadline.saturating_sub(1)));
        let limiter = &self.entry.limiter;
        match limiter.line_up(now, self.cost, latest, rules.room) {
            Admission::Go => Ok(()),
            Admission::Refused(at) => Err(self.limited(now, at)),
            Admission::Wait(number) => {
                self.place = Some(Place {
                    number,
                    since: now,
                    latest,
                });
                Ok(())
            }
        }
    }

    /// Waits until it is its turn, if it stands in the line.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Limited>> {
        while let Some(place) = self.place {
            let now = self.entry.now();
            let limiter = &self.entry.limiter;
            match limiter.turn(place.number, now, place.latest, cx.waker()) {
                Turn::Now => break,
                Turn::At(at) => ready!(self.sleep(at, cx)),
                Turn::TooLate(at) => return Poll::Ready(Err(self.limited(now, at))),
                Turn::Lost => {
                    self.step_out();
                    self.line_up(now)?;
                }
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Takes the tokens for a call that is made now, and says when that is; or takes a new place in the
    /// line, where there are none any more.
    ///
    /// # Errors
    /// When its turn would come too late.
    pub(crate) fn take(&mut self) -> Result<Option<u64>, Limited> {
        let now = self.entry.now();
        let limiter = &self.entry.limiter;
        let taken = match self.place {
            Some(place) => limiter.take_at(place.number, now),
            None => limiter.take(now, self.cost).is_ok(),
        };
        if taken {
            self.place = None;
            return Ok(Some(now));
        }
        if self.place.is_none() {
            self.line_up(now)?;
        }
        Ok(None)
    }

    /// Lets the next one go first: the inner service is not ready.
    pub(crate) fn step_out(&mut self) {
        if let Some(place) = self.place.take() {
            let now = self.entry.now();
            self.patience = self
                .patience
                .saturating_sub(now.saturating_sub(place.since));
            self.entry.limiter.leave(place.number, now);
        }
    }

    pub(crate) fn entry(&self) -> &Arc<Entry> {
        &self.entry
    }

    pub(crate) fn cost(&self) -> u32 {
        self.cost
    }

    fn sleep(&mut self, until: u64, cx: &mut Context<'_>) -> Poll<()> {
        let until = self.entry.rules.instant(until);
        let timer = match &mut self.timer {
            Some(timer) => {
                timer.as_mut().reset(until);
                timer
            }
            none => none.insert(Box::pin(sleep_until(until))),
        };
        timer.as_mut().poll(cx)
    }

    fn limited(&self, now: u64, at: u64) -> Limited {
        let rules = &self.entry.rules;
        Limited::new(rules.instant(now), rules.instant(at))
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        self.step_out();
    }
}
