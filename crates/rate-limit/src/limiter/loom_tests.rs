use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::task::Wake;
use std::time::Duration;

use loom::thread;

use super::*;

const SECOND: u64 = 1_000_000_000;

#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, std::sync::atomic::Ordering::Relaxed);
    }
}

/// A limit of one a second, used up, and two that wait.
fn used_up() -> (Arc<Limiter>, [u64; 2]) {
    let quota = Quota::per(NonZeroU32::MIN, Duration::from_secs(1));
    let limiter = Arc::new(Limiter::new(quota));
    limiter.take(0, 1).unwrap();
    let places = [(); 2].map(|()| match limiter.line_up(0, 1, u64::MAX, 9) {
        Admission::Wait(place) => place,
        other => unreachable!("{other:?}"),
    });
    (limiter, places)
}

#[test]
fn who_moves_up_knows_it_or_is_woken() {
    loom::model(|| {
        let (limiter, [first, second]) = used_up();
        let leaving = Arc::clone(&limiter);
        let leaving = thread::spawn(move || leaving.leave(first, 0));
        let woken = Arc::new(Woken::default());
        let turn = limiter.turn(second, 0, u64::MAX, &Arc::clone(&woken).into());
        leaving.join().unwrap();
        let woken = woken.0.load(std::sync::atomic::Ordering::Relaxed);
        assert!(turn == Turn::At(SECOND) || turn == Turn::At(2 * SECOND) && woken);
    });
}

#[test]
fn a_token_goes_to_one_of_those_who_want_it() {
    loom::model(|| {
        let (limiter, [first, second]) = used_up();
        limiter.leave(second, 0);
        let coming = Arc::clone(&limiter);
        let coming =
            thread::spawn(move || coming.is_free(SECOND, 1) && coming.take(SECOND, 1).is_ok());
        let turn = limiter.turn(first, SECOND, u64::MAX, Waker::noop());
        let went = turn == Turn::Now && limiter.take_at(first, SECOND);
        assert!(went != coming.join().unwrap());
    });
}

#[test]
fn when_the_last_has_left_the_lock_matters_no_more() {
    loom::model(|| {
        let (limiter, [first, second]) = used_up();
        let leaving = Arc::clone(&limiter);
        let leaving = thread::spawn(move || leaving.leave(first, 0));
        limiter.leave(second, 0);
        leaving.join().unwrap();
        assert!(!limiter.is_free(0, 1));
        assert!(limiter.is_free(SECOND, 1));
    });
}
