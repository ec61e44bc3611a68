//! Whose turn it is, and who may wait no longer.

use super::*;

const NOW: Turn = Turn::Now;

#[test]
fn who_is_polled_before_its_turn_waits_for_those_before_it() {
    let limiter = limiter(SECOND / 100, 2);
    limiter.take(0, 2).unwrap();
    let [first, second] = [(); 2].map(|()| place(&limiter, 0));
    // There are tokens for both, and the last moment of the second one: a busy runtime polls it first.
    let now = SECOND / 50;
    let turn = |place| limiter.turn(place, now, now, Waker::noop());
    assert_eq!(turn(second), Turn::At(SECOND / 100 + GRACE));
    assert!(!limiter.take_at(second, now));
    assert_eq!(turn(first), NOW);
    assert!(limiter.take_at(first, now));
    assert_eq!(turn(second), NOW);
    assert!(limiter.take_at(second, now));
}

#[test]
fn who_asks_for_its_turn_does_not_wake_itself() {
    let limiter = limiter(SECOND, 1);
    limiter.take(0, 1).unwrap();
    let (first, woken) = (place(&limiter, 0), Arc::new(Woken::default()));
    for now in [0, SECOND / 2] {
        let turn = limiter.turn(first, now, u64::MAX, &Arc::clone(&woken).into());
        assert_eq!(turn, Turn::At(SECOND));
    }
    assert_eq!(woken.times(), 0);
}

#[test]
fn who_comes_late_has_its_turn_when_nobody_has_asked_for_it() {
    let limiter = limiter(SECOND, 1);
    limiter.take(0, 1).unwrap();
    let late = place(&limiter, 0);
    let turn = limiter.turn(late, SECOND + 2 * GRACE, u64::MAX, Waker::noop());
    assert_eq!(turn, NOW);
}

#[test]
fn who_loses_its_place_once_it_was_its_turn_does_not_go_in_anothers() {
    let limiter = limiter(SECOND, 1);
    limiter.take(0, 1).unwrap();
    let [lost, second] = [(); 2].map(|()| place(&limiter, 0));
    let turn = |place, now| limiter.turn(place, now, u64::MAX, Waker::noop());
    assert_eq!(turn(lost, SECOND), NOW);
    let late = SECOND + GRACE;
    assert_eq!(turn(second, late), NOW);
    assert!(!limiter.take_at(lost, late));
    assert!(limiter.take_at(second, late));
}

#[test]
fn nobody_waits_longer_than_it_can_because_one_before_it_does() {
    let limiter = limiter(SECOND, 1);
    limiter.take(0, 1).unwrap();
    let [patient, hasty] = [(); 2].map(|()| place(&limiter, 0));
    stop(&limiter, 0, 30 * SECOND);
    let turn = |place, now, latest| limiter.turn(place, now, latest, Waker::noop());
    assert_eq!(turn(patient, SECOND, u64::MAX), Turn::At(30 * SECOND));
    let latest = 2 * SECOND;
    assert_eq!(turn(hasty, latest, latest), Turn::At(latest + GRACE));
    assert!(matches!(turn(hasty, latest + GRACE, latest), Turn::TooLate(at) if at > 30 * SECOND));
}
