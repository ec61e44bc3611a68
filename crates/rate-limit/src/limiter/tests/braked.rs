//! What a server's answers change for calls that wait, and for those that come.

use super::*;

#[test]
fn who_found_its_way_free_does_not_go_when_the_server_says_stop_meanwhile() {
    let limiter = limiter(SECOND, 5);
    assert!(limiter.is_free(0, 1));
    stop(&limiter, 0, 30 * SECOND);
    assert_eq!(limiter.take(0, 1), Err(30 * SECOND));
    assert_eq!(limiter.take(30 * SECOND, 1), Ok(()));
}

#[test]
fn who_goes_at_a_slowed_pace_without_having_waited_is_counted() {
    let limiter = limiter(SECOND, 5);
    let interval = Some(2 * SECOND);
    let advice = Advice {
        interval,
        ..Advice::default()
    };
    limiter.heed(advice, 0, 0, BOUNDS, 0);
    assert_eq!(limiter.take(0, 1), Ok(()));
    assert_eq!(limiter.take(0, 1), Err(2 * SECOND));
}

#[test]
fn a_limit_makes_room_for_others_only_when_nothing_of_it_is_to_be_remembered() {
    let limiter = limiter(SECOND, 1);
    assert!(limiter.is_spare(0));
    stop(&limiter, 0, 30 * SECOND);
    assert!(!limiter.is_spare(30 * SECOND - 1), "the server's wish");
    assert!(limiter.is_spare(30 * SECOND));
    limiter.take(30 * SECOND, 1).unwrap();
    assert!(!limiter.is_spare(30 * SECOND), "a token that is missing");
    let waiting = place(&limiter, 30 * SECOND);
    assert!(!limiter.is_spare(40 * SECOND), "one that waits");
    limiter.leave(waiting, 40 * SECOND);
    assert!(limiter.is_spare(40 * SECOND));
}
