mod braked;
mod turns;

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::task::Wake;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::bucket::TICK;

const SECOND: u64 = 1_000_000_000;
const DAY: u64 = 86_400 * SECOND;

fn limiter(interval: u64, burst: u32) -> Limiter {
    let quota = Quota::per(NonZeroU32::MIN, Duration::from_nanos(interval));
    Limiter::new(quota.burst(NonZeroU32::new(burst).unwrap()))
}

fn place(limiter: &Limiter, now: u64) -> u64 {
    match limiter.line_up(now, 1, u64::MAX, usize::MAX) {
        Admission::Wait(place) => place,
        other => panic!("{other:?}"),
    }
}

const BOUNDS: Bounds = Bounds {
    hold: 60 * SECOND,
    share: 100,
};

/// The server wants no call for so long.
fn stop(limiter: &Limiter, now: u64, hold: u64) {
    let hold = Some(hold);
    let advice = Advice {
        hold,
        ..Advice::default()
    };
    limiter.heed(advice, now, 0, BOUNDS, 0);
}

/// Counts how often it is woken.
#[derive(Debug, Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    }
}

impl Woken {
    fn times(&self) -> usize {
        self.0.load(std::sync::atomic::Ordering::Relaxed)
    }
}

/// The waker of a task that nobody else holds: it ends with it, and what it waits for looks at the limit.
struct Last {
    limiter: Arc<Limiter>,
    ended: Arc<AtomicUsize>,
}

impl Wake for Last {
    fn wake(self: Arc<Self>) {}
}

impl Drop for Last {
    fn drop(&mut self) {
        let locked = self.limiter.state.try_lock().is_err();
        assert!(!locked, "a call that leaves would wait for itself");
        self.ended.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn what_costs_nothing_goes_though_others_saw_a_later_time() {
    let limiter = limiter(SECOND, 1);
    assert_eq!(limiter.take(SECOND, 1), Ok(()));
    assert!(limiter.is_free(SECOND - 1, 0));
    assert_eq!(limiter.take(SECOND - 1, 0), Ok(()));
}

#[test]
fn no_waker_is_dropped_under_the_lock() {
    let limiter = Arc::new(limiter(SECOND, 1));
    limiter.take(0, 1).unwrap();
    let ended = Arc::new(AtomicUsize::new(0));
    let wait = || {
        let place = place(&limiter, 0);
        let (limiter, ended) = (Arc::clone(&limiter), Arc::clone(&ended));
        let last = Arc::new(Last { limiter, ended });
        let limiter = Arc::clone(&last.limiter);
        let _ = limiter.turn(place, 0, u64::MAX, &last.into());
        place
    };
    let now = SECOND + GRACE;
    let (leaves, moves) = (wait(), wait());
    limiter.leave(leaves, 0);
    assert_eq!(
        limiter.turn(moves, 0, u64::MAX, Waker::noop()),
        Turn::At(SECOND)
    );
    assert_eq!(
        ended.load(Ordering::Relaxed),
        2,
        "left, and moved to another task"
    );
    limiter.leave(moves, 0);

    let (goes, forgotten) = (wait(), wait());
    assert!(limiter.take_at(goes, SECOND));
    assert_eq!(ended.load(Ordering::Relaxed), 3, "went");
    let behind = place(&limiter, SECOND);
    let _ = limiter.turn(behind, 2 * now, u64::MAX, Waker::noop());
    assert_eq!(ended.load(Ordering::Relaxed), 4, "sent away by the next");
    limiter.leave(behind, 2 * now);
    assert_eq!(
        limiter.turn(forgotten, 2 * now, u64::MAX, Waker::noop()),
        Turn::Lost
    );

    limiter.take(2 * now, 1).unwrap();
    wait();
    let full = limiter.line_up(9 * now, 1, u64::MAX, 1);
    assert!(matches!(full, Admission::Go), "{full:?}");
    assert_eq!(ended.load(Ordering::Relaxed), 5, "sent away by a newcomer");
}

#[test]
fn who_moves_to_the_front_is_woken_once_and_the_others_are_not() {
    let limiter = limiter(SECOND, 1);
    limiter.take(0, 1).unwrap();
    let waiting: Vec<_> = (0..100)
        .map(|_| (place(&limiter, 0), Arc::new(Woken::default())))
        .collect();
    for (place, woken) in &waiting {
        let _ = limiter.turn(*place, 0, u64::MAX, &Arc::clone(woken).into());
    }
    for (gone, _) in &waiting[..40] {
        limiter.leave(*gone, 0);
    }
    let woken: Vec<_> = waiting.iter().map(|(_, woken)| woken.times()).collect();
    assert_eq!(woken[40..], [&[1][..], &[0; 59]].concat(), "{woken:?}");
    let next = limiter.turn(waiting[40].0, 0, u64::MAX, Waker::noop());
    assert_eq!(next, Turn::At(SECOND));
}

#[test]
fn whoever_does_not_come_is_passed_over_and_when_the_line_is_full_sent_away() {
    let limiter = limiter(SECOND, 1);
    limiter.take(0, 1).unwrap();
    let [lost, second] = [(); 2].map(|()| place(&limiter, 0));
    assert!(
        matches!(limiter.line_up(0, 1, u64::MAX, 2), Admission::Refused(at) if at == 3 * SECOND)
    );
    let turn = |place, now| limiter.turn(place, now, u64::MAX, Waker::noop());
    assert_eq!(turn(second, SECOND), Turn::At(2 * SECOND));
    let late = SECOND + GRACE;
    assert!(matches!(
        limiter.line_up(late, 1, u64::MAX, 2),
        Admission::Wait(_)
    ));
    assert_eq!(turn(second, late), Turn::Now);
    assert!(limiter.take_at(second, late));
    assert_eq!(turn(lost, late), Turn::Lost);
    assert_eq!(limiter.read(late).waiting, 1);
}

#[test]
fn who_comes_later_goes_after_those_who_have_not_been_polled_yet() {
    let limiter = limiter(SECOND, 5);
    limiter.take(0, 5).unwrap();
    let waiting = place(&limiter, 0);
    let late = 10 * SECOND;
    assert!(!limiter.is_free(late, 1));
    assert!(
        limiter.take(late, 1).is_err(),
        "there are five, and one waits"
    );
    assert!(matches!(
        limiter.line_up(late, 1, late, 9),
        Admission::Wait(_)
    ));
    assert!(limiter.take_at(waiting, late));
}

#[test]
fn a_turn_that_has_come_waits_when_the_server_says_stop() {
    let limiter = limiter(SECOND, 1);
    limiter.take(0, 1).unwrap();
    let waiting = place(&limiter, 0);
    let turn = |now| limiter.turn(waiting, now, u64::MAX, Waker::noop());
    assert_eq!(turn(SECOND), Turn::Now);
    stop(&limiter, SECOND, 5 * SECOND);
    assert!(!limiter.take_at(waiting, SECOND));
    assert_eq!(turn(SECOND), Turn::At(6 * SECOND));
    assert!(limiter.take_at(waiting, 6 * SECOND));
}

#[test]
fn a_turn_that_slips_beyond_what_a_call_can_wait_ends_the_wait() {
    let limiter = limiter(SECOND, 1);
    limiter.take(0, 1).unwrap();
    let [first, second] = [(); 2].map(|()| place(&limiter, 0));
    stop(&limiter, 0, 30 * SECOND);
    let turn = |place, now, latest| limiter.turn(place, now, latest, Waker::noop());
    assert_eq!(turn(first, SECOND, 2 * SECOND), Turn::TooLate(30 * SECOND));
    limiter.leave(first, SECOND);
    assert_eq!(turn(second, 2 * SECOND, 40 * SECOND), Turn::At(30 * SECOND));
    assert_eq!(turn(second, 30 * SECOND, 40 * SECOND), Turn::Now);
    assert_eq!(limiter.read(0).refused, 1);
}

#[test]
fn a_clock_that_jumps_stops_nobody_for_good() {
    let limiter = limiter(SECOND, 3);
    let goes = |now| limiter.is_free(now, 1) && limiter.take(now, 1).is_ok();
    let go = |now| (0..20).filter(|_| goes(now)).count();
    assert_eq!(go(2 * DAY), 3);
    let waiting = place(&limiter, 2 * DAY);
    assert_eq!(
        limiter.turn(waiting, DAY, u64::MAX, Waker::noop()),
        Turn::Now
    );
    assert!(limiter.take_at(waiting, DAY));
    assert_eq!(go(DAY), 2, "one burst, of which one went");
    assert_eq!(go(3 * DAY), 3);
}

/// A call of the simulation.
struct Waiting {
    place: u64,
    cost: u32,
    /// It is never polled again.
    forgotten: bool,
}

/// Whether no window holds more than a burst, given as the time that earns it, and what the rate gives
/// in it.
fn is_within(gone: &[(u64, u64)], interval: u64, burst: u64) -> bool {
    gone.iter().enumerate().all(|(n, (from, _))| {
        let mut sum = 0;
        gone[n..].iter().all(|(to, cost)| {
            sum += cost;
            sum * interval <= burst + (to - from)
        })
    })
}

proptest! {
    #[test]
    fn whatever_callers_do_the_quota_holds_and_nobody_is_lost(
        interval in 100_000_u64..20_000_000,
        burst in 1_u32..6,
        steps in prop::collection::vec((0_u8..10, any::<prop::sample::Index>(), 0_u64..30_000_000, 1_u32..6), 1..250),
    ) {
        let limiter = limiter(interval, burst);
        let (mut now, mut gone, mut waiting) = (0, Vec::new(), Vec::<Waiting>::new());
        for (event, which, pause, cost) in steps {
            let cost = cost.min(burst);
            match event {
                0..=3 => if limiter.is_free(now, cost) {
                    if limiter.take(now, cost).is_ok() {
                        gone.push((now, u64::from(cost)));
                    }
                } else if let Admission::Wait(place) = limiter.line_up(now, cost, now + SECOND, 20) {
                    waiting.push(Waiting { place, cost, forgotten: false });
                },
                4 if !waiting.is_empty() => {
                    let cancelled = waiting.remove(which.index(waiting.len()));
                    limiter.leave(cancelled.place, now);
                }
                5 if !waiting.is_empty() => {
                    let at = which.index(waiting.len());
                    waiting[at].forgotten = event == 5 && pause % 3 == 0;
                }
                _ => now += pause,
            }
            // Some runtimes poll the last one first.
            let mut order: Vec<_> = (0..waiting.len()).collect();
            if pause % 7 == 0 {
                order.reverse();
            }
            let mut left = Vec::new();
            for at in order {
                let Waiting { place, cost, forgotten } = waiting[at];
                if forgotten {
                    continue;
                }
                match limiter.turn(place, now, u64::MAX, Waker::noop()) {
                    Turn::Now => if limiter.take_at(place, now) {
                        gone.push((now, u64::from(cost)));
                        left.push(place);
                    },
                    Turn::Lost => left.push(place),
                    Turn::At(at) => prop_assert!(at > now),
                    Turn::TooLate(_) => prop_assert!(false, "nobody is in a hurry"),
                }
            }
            waiting.retain(|call| !left.contains(&call.place));
            prop_assert!(limiter.read(now).waiting <= waiting.len());
        }
        let burst = u64::from(burst) * interval;
        prop_assert!(is_within(&gone, interval, burst.max(interval + TICK)));
        // In the end all who still come have gone, and it is as new.
        for _ in 0..waiting.len() * 2 + 2 {
            now += 6 * interval + 2 * GRACE;
            waiting.retain(|call| call.forgotten || match limiter.turn(call.place, now, u64::MAX, Waker::noop()) {
                Turn::Now => !limiter.take_at(call.place, now),
                turn => turn != Turn::Lost,
            });
        }
        prop_assert!(waiting.iter().all(|call| call.forgotten));
        for call in waiting {
            limiter.leave(call.place, now);
        }
        now += SECOND;
        prop_assert_eq!(limiter.read(now).waiting, 0);
        prop_assert!(limiter.is_spare(now) && limiter.is_free(now, 1));
    }
}
