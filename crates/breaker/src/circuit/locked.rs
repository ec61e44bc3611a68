//! What a circuit does under its lock: all that is not simply let through or simply counted.

use std::sync::PoisonError;

use outrigger_core::Verdict;

use super::machine::{Machine, Mode};
use super::sync::{MutexGuard, Ordering};
use super::window::Mark;
use super::{
    Admission, COUNTED, Circuit, Counts, FREE, Order, Receipt, Refusal, Settings, State, word,
};

impl<const N: usize> Circuit<N> {
    /// A call that was counted as a success has failed after all.
    pub(crate) fn correct(
        &self,
        generation: u32,
        receipt: Receipt,
        now: u64,
        settings: &Settings,
        die: fn() -> u64,
    ) {
        let mut machine = self.lock(now, settings);
        if machine.generation != generation {
            return;
        }
        match machine.mode {
            Mode::HalfOpen(_) => machine.open(now, settings, die),
            Mode::Closed { .. } | Mode::Ramping(_) => {
                let step = now / settings.step;
                self.window.correct(receipt, generation, step, || true);
                self.trip(&mut machine, now, settings, die);
            }
            _ => {}
        }
        self.publish(&machine);
    }

    /// A probe was dispatched only now.
    pub(crate) fn dispatched(&self, admission: Admission, now: u64, settings: &Settings) {
        self.lock(now, settings).dispatched(&admission, now);
    }

    /// Whether a probe has been under way for longer than its lease, so that another may have its place.
    pub(crate) fn has_lost(&self, probe: Admission, now: u64, settings: &Settings) -> bool {
        self.lock(now, settings).has_lost(&probe, now, settings)
    }

    /// Does as an operator says.
    pub(crate) fn obey(&self, order: Order, now: u64, settings: &Settings) {
        let mut machine = self.lock(now, settings);
        machine.turn(match order {
            Order::Open => Mode::ForcedOpen,
            Order::Close => Mode::ForcedClosed,
            Order::Reset => Mode::Closed { since: now },
        });
        if order == Order::Reset {
            machine.openings = 0;
        }
        self.publish(&machine);
    }

    /// What state it is in, how often in a row it has opened, and what it has counted.
    pub(crate) fn look(&self, now: u64, settings: &Settings) -> (State, u32, Counts) {
        let machine = self.lock(now, settings);
        let counts = self.counts(machine.generation, now, settings);
        (machine.state(), machine.openings, counts)
    }

    /// Whether a new one in its place would behave alike, or be a little stricter: it remembers no
    /// failure, no slow call and no trouble.
    pub(crate) fn is_spare(&self, now: u64, settings: &Settings) -> bool {
        let machine = self.lock(now, settings);
        let counts = self.counts(machine.generation, now, settings);
        let clean = counts.failures == 0 && counts.slow == 0 && counts.run == 0;
        let passing = matches!(machine.mode, Mode::Closed { .. } | Mode::Ramping(_));
        machine.is_forgotten(now, settings) && (clean || !passing)
    }

    /// Any report that is not simply counted.
    #[cold]
    pub(super) fn report_thoughtfully(
        &self,
        admission: Admission,
        verdict: Verdict,
        now: u64,
        settings: &Settings,
        die: fn() -> u64,
    ) -> Option<Receipt> {
        match self.is_closed(admission.generation) {
            true => self.report_closed(admission.generation, verdict, now, settings, die),
            false => self.report_troubled(admission, verdict, now, settings, die),
        }
    }

    /// Counts a report of a circuit that is closed, and opens it when that is due.
    fn report_closed(
        &self,
        generation: u32,
        verdict: Verdict,
        now: u64,
        settings: &Settings,
        die: fn() -> u64,
    ) -> Option<Receipt> {
        let mark = mark(verdict)?;
        let (step, holds) = (now / settings.step, || self.is_closed(generation));
        let receipt = self.window.count(mark, generation, step, holds);
        if mark != Mark::Success {
            self.trip_if_due(generation, now, settings, die);
        }
        (mark != Mark::Failure).then_some(receipt)
    }

    #[cold]
    pub(super) fn check_troubled(&self, now: u64, settings: &Settings) -> Result<(), Refusal> {
        let mut machine = self.lock(now, settings);
        let checked = machine.check(now, settings);
        if checked.is_err() {
            machine.asked(now, false);
        }
        checked
    }

    #[cold]
    pub(super) fn admit_troubled(
        &self,
        now: u64,
        settings: &Settings,
    ) -> Result<Admission, Refusal> {
        let mut machine = self.lock(now, settings);
        let admitted = machine.admit(now, settings);
        self.publish(&machine);
        admitted
    }

    fn trip_if_due(&self, generation: u32, now: u64, settings: &Settings, die: fn() -> u64) {
        if settings
            .trip
            .is_due(&self.counts(generation, now, settings))
        {
            let mut machine = self.lock(now, settings);
            if machine.generation == generation {
                self.trip(&mut machine, now, settings, die);
                self.publish(&machine);
            }
        }
    }

    fn report_troubled(
        &self,
        admission: Admission,
        verdict: Verdict,
        now: u64,
        settings: &Settings,
        die: fn() -> u64,
    ) -> Option<Receipt> {
        let mut machine = self.lock(now, settings);
        if machine.generation != admission.generation {
            return None;
        }
        let receipt = match (&machine.mode, admission.probe) {
            (Mode::HalfOpen(_), Some(id)) => {
                machine.probed(id, verdict, now, settings, die);
                let good = verdict == Verdict::Success || verdict == Verdict::Slow;
                good.then(Receipt::default)
            }
            (Mode::Ramping(_) | Mode::Closed { .. }, _) => mark(verdict).and_then(|mark| {
                let (generation, step) = (machine.generation, now / settings.step);
                let receipt = self.window.count(mark, generation, step, || true);
                if mark != Mark::Success {
                    self.trip(&mut machine, now, settings, die);
                }
                (mark != Mark::Failure).then_some(receipt)
            }),
            _ => None,
        };
        self.publish(&machine);
        receipt
    }

    /// Opens a circuit that passes calls, when that is due. A ramp is also ended by as many failures
    /// in a row as successes were needed to begin it.
    fn trip(&self, machine: &mut Machine, now: u64, settings: &Settings, die: fn() -> u64) {
        let counts = self.counts(machine.generation, now, settings);
        let ramping = matches!(machine.mode, Mode::Ramping(_));
        let relapse = ramping && counts.run >= u64::from(settings.probes);
        if settings.trip.is_due(&counts) || relapse {
            machine.open(now, settings, die);
        }
    }

    fn counts(&self, generation: u32, now: u64, settings: &Settings) -> Counts {
        self.window
            .counts(generation, now / settings.step, settings.recent)
    }

    /// The machine as it is at this time.
    fn lock(&self, now: u64, settings: &Settings) -> MutexGuard<'_, Machine> {
        let mut machine = self.machine.lock().unwrap_or_else(PoisonError::into_inner);
        machine.settle(now, settings);
        machine
    }

    /// Shows the machine's state to those who do not take the lock.
    fn publish(&self, machine: &Machine) {
        let mode = match machine.mode {
            Mode::Closed { .. } => FREE | COUNTED,
            Mode::ForcedClosed => FREE,
            _ => 0,
        };
        self.word
            .store(word(machine.generation, mode), Ordering::SeqCst);
    }
}

/// How a verdict is counted, if at all.
#[inline]
fn mark(verdict: Verdict) -> Option<Mark> {
    match verdict {
        Verdict::Success => Some(Mark::Success),
        Verdict::Slow => Some(Mark::Slow),
        Verdict::Failure => Some(Mark::Failure),
        Verdict::Neutral => None,
    }
}
