//! What a circuit should do, written down as plainly as can be: a list of all that has happened, and
//! what follows from it.

use outrigger_core::Verdict;

use super::super::trip::Counts;
use super::super::{Order, Settings, State};
use super::rule;

/// One call that was let through.
#[derive(Clone, Debug)]
pub(super) struct Ticket {
    pub(super) era: usize,
    admitted: u64,
    /// Whether it is judged, and as what.
    pub(super) judged: Option<Verdict>,
    /// When it was judged.
    at: u64,
    /// When a failing end of its body took the success back.
    taken_back: Option<u64>,
}

/// What happened to a circuit, in order.
#[derive(Debug)]
pub(super) struct Model {
    buckets: u64,
    settings: Settings,
    pub(super) tickets: Vec<Ticket>,
    /// What ends a run of failures or lengthens it, by era.
    runs: Vec<(usize, bool)>,
    era: usize,
    kind: Kind,
    /// When the present state began.
    since: u64,
    openings: u32,
    /// What the present ramp has seen: when, and whether it passed.
    ramped: Vec<(u64, bool)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Passing { ramp: bool },
    Open { length: u64 },
    HalfOpen,
    Forced { open: bool },
}

impl Model {
    pub(super) fn new(settings: Settings, buckets: u64) -> Self {
        Self {
            buckets,
            settings,
            tickets: Vec::new(),
            runs: Vec::new(),
            era: 0,
            kind: Kind::Passing { ramp: false },
            since: 0,
            openings: 0,
            ramped: Vec::new(),
        }
    }

    pub(super) fn state(&self, now: u64) -> State {
        match self.kind {
            Kind::Passing { ramp } if ramp && !self.ramp_is_over(now) => State::Ramping,
            Kind::Passing { .. } => State::Closed,
            Kind::Open { .. } => State::Open,
            Kind::HalfOpen => State::HalfOpen,
            Kind::Forced { open: true } => State::ForcedOpen,
            Kind::Forced { open: false } => State::ForcedClosed,
        }
    }

    /// Admits a call, and gives its ticket.
    pub(super) fn admit(&mut self, now: u64) -> Option<usize> {
        match self.state(now) {
            State::Closed | State::ForcedClosed => {}
            State::Ramping => {
                let passes = self.ramp_passes(now);
                self.ramped.push((now, passes));
                if !passes {
                    return None;
                }
            }
            State::Open => {
                let Kind::Open { length } = self.kind else {
                    unreachable!()
                };
                if now < self.since + length {
                    return None;
                }
                self.enter(Kind::HalfOpen, now);
            }
            State::HalfOpen => {
                if self.probes_under_way(now) + self.probes_good() >= self.settings.probes as usize
                {
                    return None;
                }
            }
            State::ForcedOpen => return None,
        }
        self.tickets.push(Ticket {
            era: self.era,
            admitted: now,
            judged: None,
            at: now,
            taken_back: None,
        });
        Some(self.tickets.len() - 1)
    }

    /// A call is judged; says whether its success can be taken back.
    pub(super) fn report(&mut self, ticket: usize, verdict: Verdict, now: u64) -> bool {
        let call = &mut self.tickets[ticket];
        (call.judged, call.at) = (Some(verdict), now);
        if call.era != self.era || verdict == Verdict::Neutral {
            return false;
        }
        let good = verdict != Verdict::Failure;
        match self.state(now) {
            State::HalfOpen => {
                let slow = verdict == Verdict::Slow && self.settings.trip.minds_slow();
                if !good || slow {
                    self.open(now);
                } else if self.probes_good() >= self.settings.probes as usize {
                    self.enter(Kind::Passing { ramp: true }, now);
                }
                good
            }
            State::Closed | State::Ramping => {
                if !good {
                    self.runs.push((self.era, true));
                }
                if verdict != Verdict::Success {
                    self.open_if_due(now);
                }
                good
            }
            _ => false,
        }
    }

    /// A success was one to its end.
    pub(super) fn complete(&mut self, ticket: usize) {
        self.runs.push((self.tickets[ticket].era, false));
    }

    /// A success has failed after all.
    pub(super) fn correct(&mut self, ticket: usize, now: u64) {
        if self.tickets[ticket].era != self.era {
            return;
        }
        match self.state(now) {
            State::HalfOpen => self.open(now),
            State::Closed | State::Ramping => {
                self.tickets[ticket].taken_back = Some(now);
                self.runs.push((self.era, true));
                self.open_if_due(now);
            }
            _ => {}
        }
    }

    pub(super) fn obey(&mut self, order: Order, now: u64) {
        match order {
            Order::Open => self.enter(Kind::Forced { open: true }, now),
            Order::Close => self.enter(Kind::Forced { open: false }, now),
            Order::Reset => {
                self.openings = 0;
                self.enter(Kind::Passing { ramp: false }, now);
            }
        }
    }

    /// What the window holds.
    pub(super) fn counts(&self, now: u64) -> Counts {
        let step = |at: u64| at / self.settings.step;
        let within = |at: u64| step(at) + self.buckets > step(now);
        let mut counts = Counts::default();
        if !matches!(self.kind, Kind::Passing { .. }) {
            return counts;
        }
        for call in self.tickets.iter().filter(|call| call.era == self.era) {
            let kept = within(call.at);
            let recent = |at: u64| step(at) + self.settings.recent > step(now);
            // A success that is taken back later than it is remembered is a call of its own.
            let again = call
                .taken_back
                .filter(|back| step(*back) >= step(call.at) + self.buckets);
            match call.judged {
                None | Some(Verdict::Neutral) => {}
                Some(verdict) => {
                    counts.calls += u64::from(kept);
                    counts.recent += u64::from(recent(call.at));
                    counts.slow += u64::from(kept && verdict == Verdict::Slow);
                    let failed = verdict == Verdict::Failure
                        || (call.taken_back.is_some() && again.is_none());
                    counts.failures += u64::from(kept && failed);
                }
            }
            if again.is_some_and(within) {
                counts.calls += 1;
                counts.recent += u64::from(again.is_some_and(recent));
                counts.failures += 1;
            }
        }
        let era = self.runs.iter().filter(|(era, _)| *era == self.era).rev();
        counts.run = era.take_while(|(_, failed)| *failed).count() as u64;
        counts
    }

    pub(super) fn openings(&self) -> u32 {
        self.openings
    }

    pub(super) fn probes_under_way(&self, now: u64) -> usize {
        let lease = self
            .settings
            .lease
            .max(self.open_length(self.openings.max(1) - 1));
        let out = |call: &&Ticket| {
            call.era == self.era && call.judged.is_none() && now < call.admitted + lease
        };
        self.tickets.iter().filter(out).count()
    }

    fn probes_good(&self) -> usize {
        let good = |call: &&Ticket| {
            let verdict = call.judged.unwrap_or(Verdict::Neutral);
            call.era == self.era && matches!(verdict, Verdict::Success | Verdict::Slow)
        };
        self.tickets.iter().filter(good).count()
    }

    fn open_if_due(&mut self, now: u64) {
        let counts = self.counts(now);
        let relapse =
            self.state(now) == State::Ramping && counts.run >= u64::from(self.settings.probes);
        if relapse || rule::is_due(&self.settings.trip, &counts) {
            self.open(now);
        }
    }

    fn open(&mut self, now: u64) {
        if let Kind::Passing { ramp } = self.kind {
            let closed = self.since + if ramp { self.settings.ramp } else { 0 };
            if now >= closed + self.settings.open_at_most {
                self.openings = 0;
            }
        }
        let length = self.open_length(self.openings);
        self.openings += 1;
        self.enter(Kind::Open { length }, now);
    }

    fn open_length(&self, openings: u32) -> u64 {
        [2, 4][openings.min(1) as usize] * super::UNIT
    }

    fn enter(&mut self, kind: Kind, now: u64) {
        (self.kind, self.since) = (kind, now);
        self.era += 1;
        self.ramped.clear();
    }

    fn ramp_is_over(&self, now: u64) -> bool {
        now >= self.since + self.settings.ramp
    }

    fn ramp_passes(&self, now: u64) -> bool {
        let second = |at: u64| (at - self.since) / 1_000_000_000;
        let seen = self
            .ramped
            .iter()
            .filter(|(at, _)| second(*at) == second(now));
        let passed = seen.clone().filter(|(_, passed)| *passed).count() as u64;
        let share = [10, 25, 50][((now - self.since) * 3 / self.settings.ramp) as usize];
        passed < u64::from(self.settings.probes) || passed * 100 < (seen.count() as u64 + 1) * share
    }
}
