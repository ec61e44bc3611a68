use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::Request;
use outrigger_core::{BoxError, Deadline, Exponential, Keyed, Spare, call, inbound};
use tokio::time::Instant;

use crate::Paused;
use crate::place::{Place, Places};
use crate::run::Run;
use crate::verdict::Verdict;

/// The runs of all endpoints, shared by the clones of one service.
#[derive(Debug)]
pub(crate) struct Runs {
    schedule: Exponential,
    limits: Limits,
    memory: Duration,
    table: Keyed<Entry>,
}

/// How long calls wait, and how many for one endpoint.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) max_wait: Duration,
    pub(crate) max_waiting: usize,
}

impl Runs {
    pub(crate) fn new(schedule: Exponential, limits: Limits, endpoints: usize) -> Self {
        let longest = schedule.pause(u32::MAX, u64::MAX);
        Self {
            schedule,
            limits,
            memory: longest.saturating_mul(2),
            table: Keyed::new(endpoints),
        }
    }

    /// Admits a call, now or at an instant that it can wait for in a place of its own.
    pub(crate) fn admit<B>(
        &self,
        request: &Request<B>,
        now: Instant,
    ) -> Result<(Turn, Option<(Instant, Place)>), Paused> {
        let entry = self.table.at(request.uri(), || now, Entry::default);
        let slot = entry.lock().draw(&self.schedule, now, fastrand::u64(..));
        let wait = match slot.at {
            None => None,
            Some(at) => Some((at, self.place(&entry, request, now, at)?)),
        };
        let turn = Turn {
            entry,
            step: slot.step,
            memory: self.memory,
        };
        Ok((turn, wait))
    }

    /// A place to wait in from `now` to `at`.
    fn place<B>(
        &self,
        entry: &Entry,
        request: &Request<B>,
        now: Instant,
        at: Instant,
    ) -> Result<Place, Paused> {
        let too_long = at.saturating_duration_since(now) > self.limits.max_wait;
        if too_long || is_too_late(request, at) {
            return Err(Paused::new(now, at));
        }
        let place = Place::take(&entry.places, self.limits.max_waiting);
        place.ok_or_else(|| Paused::crowded(now, at))
    }
}

/// Whether nobody wants the answer to a call that begins at this instant.
fn is_too_late<B>(request: &Request<B>, at: Instant) -> bool {
    let deadlines = [
        call::current().and_then(|call| call.deadline()),
        request.extensions().get::<Deadline>().copied(),
        inbound::deadline(),
    ];
    deadlines
        .into_iter()
        .flatten()
        .any(|deadline| deadline.has_passed(at))
}

/// The run of one endpoint, and who waits for it.
#[derive(Debug, Default)]
struct Entry {
    run: Mutex<Run>,
    places: Arc<Places>,
}

impl Entry {
    fn lock(&self) -> MutexGuard<'_, Run> {
        self.run.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Spare for Entry {
    fn is_spare(&self, now: Instant) -> bool {
        self.lock().is_over(now)
    }
}

/// One admitted call. Dropped unfinished, it counts neither way.
#[derive(Debug)]
pub(crate) struct Turn {
    entry: Arc<Entry>,
    step: u64,
    memory: Duration,
}

impl Turn {
    /// The call has ended.
    pub(crate) fn finish<R>(self, result: &Result<http::Response<R>, BoxError>) {
        match Verdict::of(result) {
            Verdict::Success => self.entry.lock().succeed(),
            Verdict::Failure { asked } => {
                let now = Instant::now();
                self.entry.lock().fail(self.step, now, asked, self.memory);
            }
            Verdict::Neutral => {}
        }
    }
}
