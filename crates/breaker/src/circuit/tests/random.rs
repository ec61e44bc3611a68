//! A hundred thousand random lives of a circuit, each step of which must be as the model says.

use std::time::Duration;

use outrigger_core::Verdict;
use proptest::prelude::*;
use proptest::strategy::ValueTree;

use super::super::machine::Mode;
use super::super::*;
use super::super::{Ratio, Trip};
use super::model::Model;
use super::{UNIT, middle, settings};

const N: usize = 4;

#[derive(Clone, Copy, Debug)]
enum Event {
    Wait(u64),
    Admit,
    /// The n-th of the calls under way comes back so.
    Report(usize, Verdict),
    /// The n-th of the successes ends, well or not.
    End(usize, bool),
    Obey(Order),
}

fn trip() -> impl Strategy<Value = Trip> {
    let any = (
        1_u32..6,
        prop_oneof![Just(0_u16), Just(30), Just(50), Just(100)],
    );
    // Up to three of the four buckets are recent.
    let warm_up = (0..3_u64).prop_map(|units| Duration::from_nanos(units * UNIT));
    (any, 1_u32..5, 0..5_u8, warm_up).prop_map(|((min, percent), run, kind, warm_up)| {
        let ratio = Trip::ratio(Ratio::percent(percent)).min_calls(min);
        match kind {
            0 => ratio,
            1 => ratio.fallback(run).warm_up(warm_up),
            2 => Trip::consecutive(run),
            3 => Trip::slow(Ratio::percent(percent))
                .min_calls(min)
                .warm_up(warm_up),
            _ => ratio
                .warm_up(warm_up)
                .or(Trip::slow(Ratio::percent(50)))
                .or(Trip::consecutive(run + 2)),
        }
    })
}

fn event() -> impl Strategy<Value = Event> {
    let verdict = prop_oneof![
        3 => Just(Verdict::Success),
        1 => Just(Verdict::Slow),
        4 => Just(Verdict::Failure),
        1 => Just(Verdict::Neutral),
    ];
    let order = prop_oneof![Just(Order::Open), Just(Order::Close), Just(Order::Reset)];
    prop_oneof![
        20 => Just(Event::Admit),
        20 => (0..8_usize, verdict).prop_map(|(nth, verdict)| Event::Report(nth, verdict)),
        6 => (0..8_usize, any::<bool>()).prop_map(|(nth, failed)| Event::End(nth, failed)),
        4 => (0..3 * UNIT).prop_map(Event::Wait),
        4 => (0..4_u64).prop_map(|units| Event::Wait(units * UNIT)),
        2 => (0..2_000_000_000_u64).prop_map(Event::Wait),
        1 => order.prop_map(Event::Obey),
    ]
}

/// A circuit and its model, side by side.
struct Twins {
    circuit: Circuit<N>,
    settings: Settings,
    model: Model,
    now: u64,
    out: Vec<(Admission, usize)>,
    good: Vec<(Admission, Receipt, usize)>,
}

impl Twins {
    fn new(settings: Settings) -> Self {
        Self {
            circuit: Circuit::new(),
            model: Model::new(settings.clone(), N as u64),
            settings,
            now: 0,
            out: Vec::new(),
            good: Vec::new(),
        }
    }

    fn live(&mut self, event: Event) {
        match event {
            Event::Wait(nanos) => self.now += nanos,
            Event::Admit => self.admit(),
            Event::Report(nth, verdict) if !self.out.is_empty() => {
                let (admission, ticket) = self.out.remove(nth % self.out.len());
                self.report(admission, ticket, verdict);
            }
            Event::End(nth, failed) if !self.good.is_empty() => {
                let (admission, receipt, ticket) = self.good.remove(nth % self.good.len());
                if failed {
                    let (now, settings) = (self.now, &self.settings);
                    self.circuit
                        .correct(admission.generation, receipt, now, settings, middle);
                    self.model.correct(ticket, now);
                } else {
                    self.circuit.complete(admission.generation);
                    self.model.complete(ticket);
                }
            }
            Event::Obey(order) => {
                self.circuit.obey(order, self.now, &self.settings);
                self.model.obey(order, self.now);
            }
            Event::Report(..) | Event::End(..) => {}
        }
        self.compare();
    }

    fn admit(&mut self) {
        let checked = self.circuit.check(self.now, &self.settings);
        // A refusal by `check` is one in the books already: it stands for the call.
        let admitted = match checked {
            Ok(()) => Some(
                self.circuit
                    .admit(self.now, &self.settings)
                    .expect("as checked"),
            ),
            Err(_) => None,
        };
        let expected = self.model.admit(self.now);
        assert_eq!(admitted.is_some(), expected.is_some(), "{:?}", self.model);
        self.out.extend(admitted.zip(expected));
    }

    fn report(&mut self, admission: Admission, ticket: usize, verdict: Verdict) {
        let (now, settings) = (self.now, &self.settings);
        let receipt = self
            .circuit
            .report(admission, verdict, now, settings, middle);
        let good = self.model.report(ticket, verdict, now);
        assert_eq!(receipt.is_some(), good, "{verdict:?} {:?}", self.model);
        self.good
            .extend(receipt.map(|receipt| (admission, receipt, ticket)));
    }

    fn compare(&self) {
        let (state, openings, counts) = self.circuit.look(self.now, &self.settings);
        let model = &self.model;
        assert_eq!(state, model.state(self.now), "{model:?}");
        assert_eq!(openings, model.openings(), "{model:?}");
        assert_eq!(counts, model.counts(self.now), "{model:?}");
    }
}

/// An event as the dice fall, one of them after another.
fn roll(dice: &mut fastrand::Rng) -> Event {
    use Verdict::{Failure, Neutral, Slow, Success};
    match dice.u8(0..57) {
        0..20 => Event::Admit,
        20..40 => {
            let verdicts = [
                Success, Success, Success, Slow, Failure, Failure, Failure, Neutral,
            ];
            Event::Report(dice.usize(0..8), verdicts[dice.usize(0..8)])
        }
        40..46 => Event::End(dice.usize(0..8), dice.bool()),
        46..50 => Event::Wait(dice.u64(0..3 * UNIT)),
        50..54 => Event::Wait(dice.u64(0..4) * UNIT),
        54..56 => Event::Wait(dice.u64(0..2_000_000_000)),
        _ => Event::Obey([Order::Open, Order::Close, Order::Reset][dice.usize(0..3)]),
    }
}

#[test]
fn a_hundred_thousand_circuits_live_as_their_models_do() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let trips: Vec<_> = (0..200)
        .map(|_| trip().new_tree(&mut runner).unwrap().current())
        .collect();
    let mut seen = [0_u32; 6];
    for seed in 0..100_000 {
        let mut dice = fastrand::Rng::with_seed(seed);
        let trip = trips[dice.usize(..trips.len())];
        let mut twins = Twins::new(settings::<N>(trip, dice.u32(1..4)));
        for _ in 0..dice.usize(1..60) {
            twins.live(roll(&mut dice));
        }
        seen[twins.model.state(twins.now) as usize] += 1;
    }
    assert!(
        seen.iter().all(|ends| *ends > 500),
        "not everywhere: {seen:?}"
    );
}

proptest! {
    #[test]
    fn a_circuit_lives_as_its_model_does(
        trip in trip(),
        probes in 1_u32..4,
        events in prop::collection::vec(event(), 1..100),
    ) {
        let mut twins = Twins::new(settings::<N>(trip, probes));
        for event in events {
            twins.live(event);
        }
    }
}

proptest! {
    #[test]
    fn whatever_was_cancelled_or_has_panicked_every_probe_comes_back(
        trip in trip(),
        probes in 1_u32..4,
        events in prop::collection::vec(event(), 1..200),
        panics: bool,
    ) {
        let mut twins = Twins::new(settings::<N>(trip, probes));
        for event in events {
            twins.live(event);
        }
        // All that is under way is dropped: what a guard then reports.
        let verdict = if panics { Verdict::Failure } else { Verdict::Neutral };
        for (admission, ticket) in std::mem::take(&mut twins.out) {
            twins.report(admission, ticket, verdict);
        }
        if let Mode::HalfOpen(probes) = &twins.circuit.machine.lock().unwrap().mode {
            assert_eq!(probes.ids().count(), 0);
        }
        assert_eq!(twins.model.probes_under_way(twins.now), 0);
    }
}
