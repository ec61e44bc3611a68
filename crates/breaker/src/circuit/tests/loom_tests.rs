//! The circuit among threads, which meet in every order.

use std::sync::Arc;

use loom::thread;
use outrigger_core::Verdict::{Failure, Success};

use super::*;

type Small = Circuit<2>;

/// Runs `f` in every order in which a thread is interrupted at most twice; all orders of three threads
/// would take hours.
fn model(f: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(2);
    builder.check(f);
}

fn trip() -> Settings {
    settings::<2>(Trip::consecutive(2), 1)
}

/// Open, from 2 units after the beginning on to be probed.
fn opened(settings: &Settings) -> Small {
    let circuit = Small::new();
    for _ in 0..2 {
        let admission = circuit.admit(0, settings).unwrap();
        circuit.report(admission, Failure, 0, settings, middle);
    }
    assert!(circuit.check(0, settings).is_err());
    circuit
}

#[test]
fn of_three_that_come_at_the_instant_of_expiry_one_is_the_probe() {
    model(|| {
        let settings = trip();
        let circuit = Arc::new(opened(&settings));
        let ask = |circuit: Arc<Small>| {
            let settings = trip();
            move || usize::from(circuit.admit(2 * UNIT, &settings).is_ok())
        };
        let one = thread::spawn(ask(Arc::clone(&circuit)));
        let other = thread::spawn(ask(Arc::clone(&circuit)));
        let mine = ask(Arc::clone(&circuit))();
        assert_eq!(mine + one.join().unwrap() + other.join().unwrap(), 1);
    });
}

#[test]
fn of_failures_that_come_back_together_none_is_lost() {
    let warm_up = Duration::from_nanos(UNIT);
    let burst = Trip::ratio(Ratio::percent(100))
        .fallback(3)
        .warm_up(warm_up);
    for trip in [Trip::consecutive(3), burst] {
        model(move || {
            let settings = settings::<2>(trip, 1);
            let circuit = Arc::new(Small::new());
            let fail = |circuit: Arc<Small>, settings: Settings| {
                move || {
                    let admission = circuit.admit(0, &settings).unwrap();
                    circuit.report(admission, Failure, 0, &settings, middle);
                }
            };
            let one = thread::spawn(fail(Arc::clone(&circuit), settings.clone()));
            let other = thread::spawn(fail(Arc::clone(&circuit), settings.clone()));
            fail(Arc::clone(&circuit), settings.clone())();
            one.join().unwrap();
            other.join().unwrap();
            assert_eq!(circuit.look(0, &settings).0, State::Open);
        });
    }
}

#[test]
fn a_late_success_never_moves_a_circuit_that_is_probed_meanwhile() {
    model(|| {
        let settings = trip();
        let circuit = Small::new();
        let late = circuit.admit(0, &settings).unwrap();
        for _ in 0..2 {
            let admission = circuit.admit(0, &settings).unwrap();
            circuit.report(admission, Failure, 0, &settings, middle);
        }
        let circuit = Arc::new(circuit);
        let reporting = {
            let (circuit, settings) = (Arc::clone(&circuit), settings.clone());
            thread::spawn(move || {
                circuit.report(late, Success, 2 * UNIT, &settings, middle);
                circuit.complete(late.generation);
            })
        };
        let probing = {
            let (circuit, settings) = (Arc::clone(&circuit), settings.clone());
            thread::spawn(move || {
                let probe = circuit.admit(2 * UNIT, &settings).unwrap();
                circuit.report(probe, Failure, 2 * UNIT, &settings, middle);
            })
        };
        reporting.join().unwrap();
        probing.join().unwrap();
        let (state, openings, counts) = circuit.look(2 * UNIT, &settings);
        assert_eq!(
            (state, openings, counts),
            (State::Open, 2, Counts::default())
        );
    });
}

#[test]
fn a_report_that_meets_the_trip_counts_for_the_state_that_has_passed_and_no_other() {
    model(|| {
        let settings = settings::<2>(Trip::consecutive(1), 1);
        let circuit = Arc::new(Small::new());
        let (one, other) = (circuit.admit(0, &settings), circuit.admit(0, &settings));
        let fail = |admission: Result<Admission, Refusal>| {
            let (circuit, settings) = (Arc::clone(&circuit), settings.clone());
            move || {
                circuit.report(admission.unwrap(), Failure, 0, &settings, middle);
            }
        };
        let one = thread::spawn(fail(one));
        let other = thread::spawn(fail(other));
        one.join().unwrap();
        other.join().unwrap();
        let (state, openings, _) = circuit.look(0, &settings);
        assert_eq!((state, openings), (State::Open, 1), "opened once");

        // And nothing of it is left in the next closed state.
        let probe = circuit.admit(2 * UNIT, &settings).unwrap();
        circuit.report(probe, Success, 2 * UNIT, &settings, middle);
        assert_eq!(circuit.look(2 * UNIT, &settings).2, Counts::default());
    });
}

#[test]
fn a_probe_that_comes_back_while_others_ask_leaves_room_for_one_of_them_or_closes() {
    for verdict in [outrigger_core::Verdict::Neutral, Success] {
        model(move || {
            let settings = trip();
            let circuit = Arc::new(opened(&settings));
            let probe = circuit.admit(2 * UNIT, &settings).unwrap();
            let back = {
                let (circuit, settings) = (Arc::clone(&circuit), settings.clone());
                thread::spawn(move || {
                    circuit.report(probe, verdict, 2 * UNIT, &settings, middle);
                })
            };
            let ask = || {
                let (circuit, settings) = (Arc::clone(&circuit), settings.clone());
                move || usize::from(circuit.admit(2 * UNIT, &settings).is_ok())
            };
            let one = thread::spawn(ask());
            let passed = ask()() + one.join().unwrap();
            back.join().unwrap();
            assert!(passed <= 1, "one probe, or the ramp's one in a second");
            let now = 2 * UNIT + 1_000_000_000;
            assert!(passed == 1 || circuit.admit(now, &settings).is_ok());
        });
    }
}
