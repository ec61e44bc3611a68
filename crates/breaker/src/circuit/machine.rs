use std::num::NonZeroU32;

use outrigger_core::Verdict;

use super::probes::Probes;
use super::ramp::Ramp;
use super::settings::Settings;
use super::{Admission, Refusal, State};

/// No circuit stays half-open for so little: what was refused may ask again after this long.
const ASK_AGAIN: u64 = 1_000_000_000;

/// What a circuit does while it is not simply closed. A plain machine, told the time and the die.
///
/// Each state but one has a generation of its own, which admissions carry: a report of another
/// generation says nothing of this state. A ramp and the closed state after it are one generation, and
/// so count in one window.
#[derive(Clone, Debug)]
pub(super) struct Machine {
    pub(super) generation: u32,
    pub(super) mode: Mode,
    /// How often in a row it has opened; 0 again after a stable time.
    pub(super) openings: u32,
    /// When it was last asked.
    pub(super) asked: u64,
}

#[derive(Clone, Debug)]
pub(super) enum Mode {
    Closed { since: u64 },
    Open { until: u64 },
    HalfOpen(Probes),
    Ramping(Ramp),
    ForcedOpen,
    ForcedClosed,
}

impl Machine {
    pub(super) fn new() -> Self {
        Self {
            generation: 0,
            mode: Mode::Closed { since: 0 },
            openings: 0,
            asked: 0,
        }
    }

    /// What time alone has changed: a ramp that is at its end is a closed circuit.
    pub(super) fn settle(&mut self, now: u64, settings: &Settings) {
        if let Mode::Ramping(ramp) = &self.mode {
            let since = ramp.end(settings.ramp);
            if since <= now {
                self.mode = Mode::Closed { since };
            }
        }
    }

    /// Whether a call would be admitted now.
    pub(super) fn check(&self, now: u64, settings: &Settings) -> Result<(), Refusal> {
        let lease = self.lease(settings);
        let (admits, retry_at) = match &self.mode {
            Mode::Closed { .. } | Mode::ForcedClosed => return Ok(()),
            Mode::ForcedOpen => (false, None),
            Mode::Open { until } => (*until <= now, Some(*until)),
            Mode::HalfOpen(probes) => {
                let soon = now.saturating_add(ASK_AGAIN);
                let retry_at = probes.next_lease(lease).map_or(soon, |end| end.min(soon));
                (
                    probes.have_room(now, settings.probes, lease),
                    Some(retry_at),
                )
            }
            Mode::Ramping(ramp) => (
                ramp.passes(now, settings.ramp, settings.probes),
                Some(ramp.next_slice(now)),
            ),
        };
        match admits {
            true => Ok(()),
            false => Err(Refusal { retry_at }),
        }
    }

    /// Admits a call or refuses it, as [`check`](Self::check) says.
    pub(super) fn admit(&mut self, now: u64, settings: &Settings) -> Result<Admission, Refusal> {
        let checked = self.check(now, settings);
        self.asked(now, checked.is_ok());
        checked?;
        if let Mode::Open { .. } = self.mode {
            self.turn(Mode::HalfOpen(Probes::default()));
        }
        let lease = self.lease(settings);
        let probe = match &mut self.mode {
            Mode::HalfOpen(probes) => Some(probes.send(now, lease)),
            _ => None,
        };
        let generation = self.generation;
        Ok(Admission { generation, probe })
    }

    /// Notes that a call was admitted or refused.
    pub(super) fn asked(&mut self, now: u64, admitted: bool) {
        self.asked = now;
        if let Mode::Ramping(ramp) = &mut self.mode {
            ramp.take(now, admitted);
        }
    }

    /// The lease of a probe of this generation runs from its dispatch.
    pub(super) fn dispatched(&mut self, admission: &Admission, now: u64) {
        if let (Mode::HalfOpen(probes), Some(id)) = (&mut self.mode, admission.probe)
            && admission.generation == self.generation
        {
            probes.renew(id, now);
        }
    }

    /// Whether a probe has no place any longer.
    pub(super) fn has_lost(&self, admission: &Admission, now: u64, settings: &Settings) -> bool {
        match (&self.mode, admission.probe) {
            (Mode::HalfOpen(probes), Some(id)) => !probes.hold(id, now, self.lease(settings)),
            _ => false,
        }
    }

    /// A probe of this generation is back.
    pub(super) fn probed(
        &mut self,
        id: NonZeroU32,
        verdict: Verdict,
        now: u64,
        settings: &Settings,
        die: fn() -> u64,
    ) {
        let Mode::HalfOpen(probes) = &mut self.mode else {
            return;
        };
        probes.give_back(id);
        match verdict {
            Verdict::Neutral => {}
            verdict if settings.is_bad(verdict) => self.open(now, settings, die),
            _ => {
                if probes.succeed(settings.probes) {
                    self.turn(Mode::Ramping(Ramp::new(now)));
                    self.settle(now, settings);
                }
            }
        }
    }

    /// Opens: once more in a row, unless it was closed for as long as it is open at most.
    pub(super) fn open(&mut self, now: u64, settings: &Settings, die: fn() -> u64) {
        if self.is_stable(now, settings) {
            self.openings = 0;
        }
        let until = now.saturating_add(settings.open_time(self.openings, die()));
        self.openings = self.openings.saturating_add(1);
        self.asked = now;
        self.turn(Mode::Open { until });
    }

    /// Goes over to another state, and another generation.
    pub(super) fn turn(&mut self, mode: Mode) {
        self.generation = self.generation.wrapping_add(1);
        self.mode = mode;
    }

    /// Whether it has been closed for so long that its openings are forgotten.
    pub(super) fn is_stable(&self, now: u64, settings: &Settings) -> bool {
        match self.mode {
            Mode::Closed { since } => since.saturating_add(settings.open_at_most) <= now,
            _ => false,
        }
    }

    /// Whether nothing but what was counted tells it from a new one: it has been closed for long, or
    /// nobody has asked for it for long since it might have been probed.
    pub(super) fn is_forgotten(&self, now: u64, settings: &Settings) -> bool {
        let long = |since: u64| since.saturating_add(settings.open_at_most) <= now;
        match &self.mode {
            Mode::Closed { .. } => self.openings == 0 || self.is_stable(now, settings),
            Mode::Open { until } => long(*until),
            Mode::HalfOpen(_) | Mode::Ramping(_) => long(self.asked),
            Mode::ForcedOpen | Mode::ForcedClosed => false,
        }
    }

    pub(super) fn state(&self) -> State {
        match self.mode {
            Mode::Closed { .. } => State::Closed,
            Mode::Open { .. } => State::Open,
            Mode::HalfOpen(_) => State::HalfOpen,
            Mode::Ramping(_) => State::Ramping,
            Mode::ForcedOpen => State::ForcedOpen,
            Mode::ForcedClosed => State::ForcedClosed,
        }
    }

    /// How long a probe may be under way before it counts as lost.
    fn lease(&self, settings: &Settings) -> u64 {
        let open = settings.open_time(self.openings.saturating_sub(1), u64::MAX / 2);
        settings.lease.max(open)
    }
}
