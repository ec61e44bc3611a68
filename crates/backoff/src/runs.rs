use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::Request;
use outrigger_core::{BoxError, Deadline, Exponential, Keyed, Spare, call, inbound};
use tokio::time::Instant;

use crate::Paused;
use crate::run::Run;
use crate::verdict::Verdict;

/// The runs of all endpoints, shared by the clones of one service.
#[derive(Debug)]
pub(crate) struct Runs {
    schedule: Exponential,
    max_wait: Duration,
    memory: Duration,
    table: Keyed<Entry>,
}

impl Runs {
    pub(crate) fn new(schedule: Exponential, max_wait: Duration, endpoints: usize) -> Self {
        let longest = schedule.pause(u32::MAX, u64::MAX);
        Self {
            schedule,
            max_wait,
            memory: longest.saturating_mul(2),
            table: Keyed::new(endpoints),
        }
    }

    /// Admits a call, now or at an instant that it can wait for.
    pub(crate) fn admit<B>(
        &self,
        request: &Request<B>,
        now: Instant,
    ) -> Result<(Turn, Option<Instant>), Paused> {
        let entry = self.table.at(request.uri(), now, Entry::default);
        let slot = entry.lock().draw(&self.schedule, now, fastrand::u64(..));
        if let Some(at) = slot.at
            && (at.saturating_duration_since(now) > self.max_wait || is_too_late(request, at))
        {
            return Err(Paused::new(now, at));
        }
        let turn = Turn {
            entry,
            step: slot.step,
            memory: self.memory,
        };
        Ok((turn, slot.at))
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

/// The run of one endpoint.
#[derive(Debug, Default)]
struct Entry(Mutex<Run>);

impl Entry {
    fn lock(&self) -> MutexGuard<'_, Run> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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
