//! What the default does with a peer that fails in part, from its first call on.

use std::time::Duration;

use outrigger_core::Verdict;

use super::super::*;
use super::middle;
use crate::{BreakerLayer, Trip};

const SECOND: u64 = 1_000_000_000;

/// Between two of 100 calls a second.
const PAUSE: u64 = SECOND / 100;

/// The default circuit, called 100 times a second from some instant on.
struct Traffic {
    circuit: Circuit,
    settings: Settings,
    dice: fastrand::Rng,
    now: u64,
}

impl Traffic {
    fn new(seed: u64) -> Self {
        let open = (
            BreakerLayer::DEFAULT_OPEN_FOR,
            BreakerLayer::DEFAULT_OPEN_AT_MOST,
        );
        let (lease, ramp) = (BreakerLayer::DEFAULT_LEASE, BreakerLayer::DEFAULT_RAMP);
        let probes = BreakerLayer::DEFAULT_PROBES;
        let mut dice = fastrand::Rng::with_seed(seed);
        Self {
            circuit: Circuit::new(),
            settings: Settings::new(Trip::default(), open, probes, lease, ramp, BUCKETS),
            // Anywhere within a step of the window.
            now: 100 * SECOND + dice.u64(..SECOND),
            dice,
        }
    }

    /// A call that is let through, or not.
    fn call(&mut self, fails: bool) -> bool {
        let (now, settings) = (self.now, &self.settings);
        let Ok(admission) = self.circuit.admit(now, settings) else {
            return false;
        };
        let verdict = match fails {
            true => Verdict::Failure,
            false => Verdict::Success,
        };
        self.circuit
            .report(admission, verdict, now, settings, middle);
        if !fails {
            self.circuit.complete(admission.generation);
        }
        true
    }

    fn state(&self) -> State {
        self.circuit.look(self.now, &self.settings).0
    }

    /// So many calls, of which so many percent fail by chance; says which opened it, if one did.
    fn opens(&mut self, calls: u64, percent: u8) -> Option<u64> {
        for nth in 1..=calls {
            let fails = self.dice.u8(..100) < percent;
            assert!(self.call(fails));
            if self.circuit.pass().is_none() {
                return Some(nth);
            }
            self.now += PAUSE;
        }
        None
    }
}

#[test]
fn of_a_thousand_cold_starts_at_a_third_of_failures_next_to_none_opens() {
    let opened: Vec<_> = (0..1_000)
        .filter_map(|seed| Traffic::new(seed).opens(6_000, 30))
        .collect();
    println!("{} of 1,000 in 60 s, by the calls {opened:?}", opened.len());
    let literal = |seed| {
        let mut traffic = Traffic::new(seed);
        traffic.settings.recent = 0;
        traffic.opens(6_000, 30)
    };
    let without = (0..1_000).filter_map(literal).count();
    println!("without a warm-up {without} of 1,000");
    assert!(without > 10 * opened.len(), "{without}");
    // Five failures before any success are 0.24 %, and open at once whoever sends them.
    assert!(opened.len() <= 5, "{opened:?}");
    assert!(opened.iter().all(|nth| *nth < 20), "{opened:?}");
}

#[test]
fn a_few_checks_of_health_before_leave_the_start_nearly_as_cold() {
    let opens = |seed| checked(seed).opens(1_000, 30);
    let opened: Vec<_> = (0..1_000).filter_map(opens).collect();
    println!("{} of 1,000 in 10 s, by the calls {opened:?}", opened.len());
    // Without a warm-up 28.
    assert!(opened.len() <= 10, "{opened:?}");
}

#[test]
fn four_fifths_of_failures_open_it_within_two_seconds_cold_or_used() {
    type Begin = fn(u64) -> Traffic;
    let begins: [(&str, Begin); 3] = [
        ("at once", Traffic::new),
        ("after checks of its health", checked),
        ("after half a second of successes", |seed| well(seed, 50)),
    ];
    for (name, begin) in begins {
        let calls = (0..1_000).map(|seed| begin(seed).opens(200, 80).unwrap_or(u64::MAX));
        let slowest = calls.max();
        println!("{name}: by call {slowest:?} of 200");
        assert!(slowest <= Some(200), "{name}");
    }
}

#[test]
fn once_calls_have_come_for_a_while_it_opens_as_if_it_had_no_warm_up() {
    for seed in 0..1_000 {
        let opens = |trip: Trip| {
            let mut traffic = well(seed, 150);
            let step = traffic.settings.step;
            traffic.settings.recent = trip.recent_steps(step, BUCKETS as u64);
            traffic.opens(1_000, 80)
        };
        let with = opens(Trip::default());
        let without = opens(Trip::default().warm_up(Duration::ZERO));
        assert!(with.is_some_and(|nth| nth > 100));
        assert_eq!(with, without, "seed {seed}");
    }
}

#[test]
fn a_ramp_begins_with_a_burst_too_and_still_ends_where_half_of_its_calls_fail() {
    let mut traffic = Traffic::new(0);
    assert_eq!(traffic.opens(5, 100), Some(5));
    traffic.now += 6 * SECOND;
    for _ in 0..3 {
        assert!(traffic.call(false));
    }
    assert_eq!(traffic.state(), State::Ramping);
    let mut passed = 0;
    for _ in 0..600 {
        passed += u32::from(traffic.call(passed % 2 == 0));
        if traffic.state() == State::Open {
            break;
        }
        traffic.now += PAUSE;
    }
    println!("after {passed} calls");
    assert_eq!(traffic.state(), State::Open);
    assert!(passed < 40, "{passed}");
}

/// Successes came before, one every two seconds.
fn checked(seed: u64) -> Traffic {
    let mut traffic = Traffic::new(seed);
    for _ in 0..5 {
        assert_eq!(traffic.opens(1, 0), None);
        traffic.now += 2 * SECOND;
    }
    traffic
}

/// So many successes came before, 100 a second.
fn well(seed: u64, calls: u64) -> Traffic {
    let mut traffic = Traffic::new(seed);
    assert_eq!(traffic.opens(calls, 0), None);
    traffic
}

#[test]
fn a_dead_peer_opens_it_at_once_and_whoever_was_well_for_a_moment_soon() {
    for (well, failures) in [(0, 5), (1, 6), (3, 8), (10, 15), (50, 55), (100, 105)] {
        let mut traffic = Traffic::new(well);
        let begin = traffic.now;
        for percent in [0, 100] {
            let calls = if percent == 0 { well } else { 1_000 };
            traffic.now = begin;
            // All of them at one instant.
            let opened = (0..calls).find(|_| {
                let opened = traffic.opens(1, percent).is_some();
                traffic.now = begin;
                opened
            });
            let expected = (percent == 100).then(|| failures - 1);
            assert_eq!(opened, expected, "{well} were well");
        }
    }
}
