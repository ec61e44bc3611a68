//! Every state that a small circuit can get into, and whether it gets out of it again.

use std::collections::HashSet;
use std::time::Duration;

use outrigger_core::Verdict;

use super::super::machine::Mode;
use super::super::*;
use super::super::{Ratio, Trip};
use super::{UNIT, middle, settings};

const N: usize = 3;

/// No more calls than these are counted within a window, or seen by a ramp within a second: further
/// ones change no decision.
const MOST: u64 = 3;

/// Two of the three buckets are recent.
const WARM_UP: Duration = Duration::from_nanos(UNIT);

/// A circuit, and the time.
struct Place {
    circuit: Circuit<N>,
    now: u64,
}

/// All that tells one place from another, with times counted from the present.
type Shape = (State, u32, Vec<(u64, u64, u64)>, u64, String);

impl Place {
    fn fork(&self) -> Self {
        let circuit = Circuit {
            word: AtomicU64::new(self.circuit.word.load(Ordering::SeqCst)),
            window: self.circuit.window.fork(),
            machine: Mutex::new(self.circuit.machine.lock().unwrap().clone()),
        };
        let now = self.now;
        Self { circuit, now }
    }

    fn shape(&self, settings: &Settings) -> Shape {
        let (state, openings, counts) = self.circuit.look(self.now, settings);
        let machine = self.circuit.machine.lock().unwrap();
        let step = self.now / settings.step;
        // What each bucket holds shows in what the window holds from now on, and when it has moved on.
        let buckets = (0..N as u64).map(|ahead| {
            let counts = self
                .circuit
                .window
                .counts(machine.generation, step + ahead, 0);
            (counts.calls, counts.failures, counts.slow)
        });
        let buckets = buckets.collect();
        let ago = |at: u64| i128::from(at) - i128::from(self.now);
        let mode = match &machine.mode {
            Mode::Closed { since } => format!("{}", ago(*since).max(-i128::from(5 * UNIT))),
            Mode::Open { until } => format!("{}", ago(*until).max(0)),
            Mode::HalfOpen(probes) => {
                probes.shape(self.now, settings.lease.max(settings.open_at_most))
            }
            Mode::Ramping(ramp) => ramp.shape(self.now),
            Mode::ForcedOpen | Mode::ForcedClosed => String::new(),
        };
        (state, openings.min(2), buckets, counts.run.min(MOST), mode)
    }

    /// Everywhere that one event leads to.
    fn next(&self, settings: &Settings) -> Vec<Self> {
        use Verdict::{Failure, Neutral, Slow, Success};
        let mut next = Vec::new();
        let mut go = |event: &dyn Fn(&mut Self)| {
            let mut place = self.fork();
            event(&mut place);
            next.push(place);
        };
        let (state, _, counts) = self.circuit.look(self.now, settings);
        let machine = self.circuit.machine.lock().unwrap().clone();
        go(&|place| place.now += UNIT);
        let crowded = matches!(&machine.mode, Mode::Ramping(ramp) if ramp.seen(self.now) >= MOST);
        if !crowded {
            go(&|place| {
                let _ = place.circuit.admit(place.now, settings);
            });
        }
        let generation = machine.generation;
        let admission = |probe| Admission { generation, probe };
        let report = |admission, verdict| {
            move |place: &mut Self| {
                let now = place.now;
                place
                    .circuit
                    .report(admission, verdict, now, settings, middle);
            }
        };
        if let Mode::HalfOpen(probes) = &machine.mode {
            for (id, verdict) in probes
                .ids()
                .flat_map(|id| [Success, Slow, Failure, Neutral].map(|verdict| (id, verdict)))
            {
                go(&report(admission(Some(id)), verdict));
            }
        }
        if matches!(state, State::Closed | State::Ramping) {
            if counts.calls < MOST {
                for verdict in [Success, Slow, Failure, Neutral] {
                    go(&report(admission(None), verdict));
                }
            }
            go(&|place| place.circuit.complete(generation));
        }
        if counts.failures < counts.calls || state == State::HalfOpen {
            for back in 0..N as u64 {
                let step = (self.now / settings.step).saturating_sub(back);
                go(&move |place| {
                    let (receipt, now) = (Receipt::of(step), place.now);
                    place
                        .circuit
                        .correct(generation, receipt, now, settings, middle);
                });
            }
        }
        next
    }

    /// What comes late, from any other generation, changes nothing.
    fn assert_deaf_to_the_past(&self, settings: &Settings) {
        let before = self.shape(settings);
        let generation = self.circuit.machine.lock().unwrap().generation;
        for other in (0..generation).rev().take(4) {
            for probe in [None, NonZeroU32::new(2), NonZeroU32::new(3)] {
                let admission = Admission {
                    generation: other,
                    probe,
                };
                for verdict in [Verdict::Success, Verdict::Slow, Verdict::Failure] {
                    let (now, settings) = (self.now, settings);
                    self.circuit
                        .report(admission, verdict, now, settings, middle);
                    self.circuit.correct(
                        admission.generation,
                        Receipt::default(),
                        now,
                        settings,
                        middle,
                    );
                    self.circuit.complete(admission.generation);
                }
            }
        }
        assert_eq!(self.shape(settings), before);
    }

    /// How many units it takes until a well peer that is called twice in each has all its calls back,
    /// although whatever is under way is never heard of again.
    fn units_to_recover(self, settings: &Settings) -> u64 {
        let mut place = self;
        for units in 0..30 {
            let mut refused = 0;
            for _ in 0..2 {
                match place.circuit.admit(place.now, settings) {
                    Ok(admission) => {
                        let (now, verdict) = (place.now, Verdict::Success);
                        place
                            .circuit
                            .report(admission, verdict, now, settings, middle);
                        place.circuit.complete(admission.generation);
                    }
                    Err(_) => refused += 1,
                }
            }
            if refused == 0 && place.circuit.look(place.now, settings).0 == State::Closed {
                return units;
            }
            place.now += UNIT;
        }
        panic!("it never closes: {:?}", place.circuit);
    }
}

#[test]
fn from_every_state_it_can_get_into_a_well_peer_closes_it_again() {
    let half = Trip::ratio(Ratio::percent(50));
    for (name, trip, probes) in [
        (
            "ratio, or a run while few",
            half.min_calls(3).fallback(2),
            2,
        ),
        (
            "the same after a warm-up",
            half.min_calls(2).fallback(2).warm_up(WARM_UP),
            2,
        ),
        ("a run", Trip::consecutive(2), 1),
        ("slow calls", Trip::slow(Ratio::percent(50)).min_calls(2), 2),
    ] {
        let settings = settings::<N>(trip, probes);
        let (circuit, now) = (Circuit::new(), 0);
        let mut open = vec![Place { circuit, now }];
        let mut seen = HashSet::from([open[0].shape(&settings)]);
        let (mut longest, mut states) = (0, HashSet::new());
        while let Some(place) = open.pop() {
            assert!(seen.len() < 1_000_000, "{name}: without an end");
            states.insert(place.shape(&settings).0);
            place.assert_deaf_to_the_past(&settings);
            for next in place.next(&settings) {
                if seen.insert(next.shape(&settings)) {
                    open.push(next);
                }
            }
            longest = longest.max(place.units_to_recover(&settings));
        }
        println!(
            "{name}: {} states, at most {longest} units to recover",
            seen.len()
        );
        assert_eq!(
            states.len(),
            4,
            "closed, open, half-open, ramping: {states:?}"
        );
        // Open for at most four, then probes whose lease is four, then a ramp of three.
        assert!(longest <= 11, "{name}: {longest}");
    }
}
