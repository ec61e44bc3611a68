//! What a closed circuit costs does not grow with what it has counted.

use std::sync::mpsc;
use std::thread;

use super::*;
use crate::Trip;

/// How long the other thread is waited for where it waits for the lock.
const LONG: Duration = Duration::from_secs(10);

#[test]
fn a_closed_circuit_takes_no_lock_however_much_it_has_counted() {
    let circuit = Circuit::<4>::new();
    let settings = settings::<4>(Trip::default(), 1);
    let call = |verdict| {
        let admission = circuit.admit(0, &settings).unwrap();
        circuit.report(admission, verdict, 0, &settings, middle)
    };
    for _ in 0..100_000 {
        call(Verdict::Success);
    }
    let held = circuit.machine.lock().unwrap();
    let (done, is_done) = mpsc::channel();
    thread::scope(|scope| {
        scope.spawn(|| {
            call(Verdict::Success);
            call(Verdict::Failure);
            call(Verdict::Neutral);
            done.send(())
        });
        let in_time = is_done.recv_timeout(LONG);
        drop(held);
        assert!(in_time.is_ok(), "it waits for the lock");
    });
    assert_eq!(circuit.look(0, &settings).2.calls, 100_002);
}
