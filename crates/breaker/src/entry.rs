use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use outrigger_core::{Spare, Verdict};
use tokio::time::Instant;

use crate::circuit::{Admission, Circuit, Order, Receipt, Refusal, Settings};
use crate::clock::Clock;
use crate::handle::Watchers;
use crate::stage::Stage;
use crate::{Open, Snapshot};

/// A circuit under its name, told the time by tokio's clock and the die by the thread.
pub(crate) struct Entry {
    circuit: Circuit,
    name: Arc<str>,
    shared: Arc<Shared>,
}

/// What all circuits of one layer have in common.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) settings: Settings,
    pub(crate) slow_call: Option<Duration>,
    pub(crate) clock: Clock,
    pub(crate) watchers: Option<Watchers>,
}

impl Entry {
    pub(crate) fn new(name: Arc<str>, shared: Arc<Shared>) -> Self {
        let circuit = Circuit::new();
        Self {
            circuit,
            name,
            shared,
        }
    }

    #[inline]
    pub(crate) fn check(&self) -> Result<(), Open> {
        match self.circuit.pass() {
            Some(_) => Ok(()),
            None => self.check_troubled(),
        }
    }

    /// Lets a call through, or refuses it. It is known to be let through before others are told that this
    /// has changed the circuit's state: where one panics, what the call took is given back.
    #[inline]
    pub(crate) fn admit(&self, stage: &mut Stage) -> Result<(), Open> {
        match self.circuit.pass() {
            Some(admission) => {
                *stage = Stage::out(admission);
                Ok(())
            }
            None => self.admit_troubled(stage),
        }
    }

    /// Whether a call can be slow here, and so has to be timed.
    #[inline]
    pub(crate) fn minds_time(&self) -> bool {
        self.shared.slow_call.is_some()
    }

    /// Whether slow calls are held against the peer.
    pub(crate) fn minds_slow(&self) -> bool {
        self.shared.settings.trip.minds_slow()
    }

    #[cold]
    fn check_troubled(&self) -> Result<(), Open> {
        let now = Instant::now();
        let checked = self.circuit.check(self.at(now), &self.shared.settings);
        checked.map_err(|refusal| self.open(refusal, now))
    }

    #[cold]
    fn admit_troubled(&self, stage: &mut Stage) -> Result<(), Open> {
        let now = Instant::now();
        let before = self.circuit.generation();
        let admitted = self.circuit.admit(self.at(now), &self.shared.settings);
        let admitted = admitted.map(|admission| *stage = Stage::out(admission));
        self.tell_since(before, now);
        admitted.map_err(|refusal| self.open(refusal, now))
    }

    /// Counts a success where that needs no thought.
    #[inline]
    pub(crate) fn succeed(&self, generation: u32, now: Instant) -> Option<Receipt> {
        let step = self.shared.clock.step(now);
        self.circuit.succeed(generation, step)
    }

    pub(crate) fn report(
        &self,
        admission: Admission,
        verdict: Verdict,
        now: Instant,
    ) -> Option<Receipt> {
        let before = self.circuit.generation();
        let settings = &self.shared.settings;
        let at = self.at(now);
        let receipt = self.circuit.report(admission, verdict, at, settings, die);
        self.tell_since(before, now);
        receipt
    }

    #[inline]
    pub(crate) fn complete(&self, generation: u32) {
        self.circuit.complete(generation);
    }

    pub(crate) fn correct(&self, generation: u32, receipt: Receipt, now: Instant) {
        let before = self.circuit.generation();
        let settings = &self.shared.settings;
        let at = self.at(now);
        self.circuit.correct(generation, receipt, at, settings, die);
        self.tell_since(before, now);
    }

    pub(crate) fn dispatched(&self, admission: Admission, at: Instant) {
        let settings = &self.shared.settings;
        self.circuit.dispatched(admission, self.at(at), settings);
    }

    pub(crate) fn obey(&self, order: Order, now: Instant) {
        let before = self.circuit.generation();
        self.circuit
            .obey(order, self.at(now), &self.shared.settings);
        self.tell_since(before, now);
    }

    /// Whether the circuit has changed its state since it let this call through, or takes it for a lost
    /// probe.
    pub(crate) fn has_lapsed(&self, admission: Admission) -> bool {
        let lost = || {
            let now = self.at(Instant::now());
            self.circuit.has_lost(admission, now, &self.shared.settings)
        };
        self.circuit.generation() != admission.generation || admission.probe.is_some() && lost()
    }

    /// Whether an answer that took from then to now is slow.
    #[inline]
    pub(crate) fn is_slow(&self, since: Instant, now: Instant) -> bool {
        let limit = self.shared.slow_call;
        limit.is_some_and(|limit| now.saturating_duration_since(since) > limit)
    }

    pub(crate) fn name(&self) -> &Arc<str> {
        &self.name
    }

    pub(crate) fn snapshot(&self, now: Instant) -> Snapshot {
        let (state, openings, counts) = self.circuit.look(self.at(now), &self.shared.settings);
        Snapshot::new(Arc::clone(&self.name), state, openings, counts)
    }

    #[cold]
    fn open(&self, refusal: Refusal, now: Instant) -> Open {
        let (state, ..) = self.circuit.look(self.at(now), &self.shared.settings);
        let retry_at = refusal.retry_at.map(|at| {
            let after = Duration::from_nanos(at);
            self.shared.clock.start.checked_add(after).unwrap_or(now)
        });
        Open::new(Arc::clone(&self.name), state, now, retry_at)
    }

    #[inline]
    fn tell_since(&self, before: u32, now: Instant) {
        if self.circuit.generation() != before {
            self.tell(now);
        }
    }

    #[cold]
    fn tell(&self, now: Instant) {
        if let Some(watchers) = &self.shared.watchers {
            watchers.tell(|| self.snapshot(now));
        }
    }

    /// An instant by the circuit's clock.
    #[inline]
    fn at(&self, now: Instant) -> u64 {
        self.shared.clock.nanos(now)
    }
}

fn die() -> u64 {
    fastrand::u64(..)
}

impl Spare for Entry {
    fn is_spare(&self, now: Instant) -> bool {
        self.circuit.is_spare(self.at(now), &self.shared.settings)
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry")
            .field("name", &self.name)
            .field("circuit", &self.circuit)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_of_an_endpoint_is_small() {
        assert!(size_of::<Entry>() <= 1_024, "{}", size_of::<Entry>());
    }
}
