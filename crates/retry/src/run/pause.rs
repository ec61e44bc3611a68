use std::time::Duration;

/// How long to pause before the next attempt; `None` when that is longer than anybody waits.
///
/// At least as long as was `drawn`, and as the server or a local rejection `asked`, with up to a
/// tenth of that on top, since others were asked the same. What was asked is obeyed or not at all:
/// beyond `longest` there is no pause. None is longer than what is `left`.
pub(super) fn pause(
    drawn: Duration,
    asked: Option<Duration>,
    longest: Duration,
    left: Duration,
    die: u64,
) -> Option<Duration> {
    let asked = asked.unwrap_or_default();
    if asked > longest || asked > left || drawn > left {
        return None;
    }
    let apart = share(asked / 10, die).min(left - asked);
    Some(drawn.max(asked + apart))
}

/// A part of `most`, as even as the die.
fn share(most: Duration, die: u64) -> Duration {
    let nanos = u64::try_from(most.as_nanos()).unwrap_or(u64::MAX);
    let share = (u128::from(nanos) * u128::from(die)) >> 64;
    Duration::from_nanos(u64::try_from(share).unwrap_or(nanos))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn the_longer_of_both_counts_and_the_server_is_obeyed_or_not_at_all() {
        let pause = |drawn, asked, left| pause(drawn, asked, 60 * SECOND, left, 0);
        assert_eq!(pause(SECOND, None, Duration::MAX), Some(SECOND));
        assert_eq!(
            pause(SECOND, Some(2 * SECOND), Duration::MAX),
            Some(2 * SECOND)
        );
        assert_eq!(
            pause(3 * SECOND, Some(2 * SECOND), Duration::MAX),
            Some(3 * SECOND)
        );
        assert_eq!(pause(SECOND, Some(61 * SECOND), Duration::MAX), None);
        assert_eq!(pause(SECOND, Some(2 * SECOND), SECOND), None);
        assert_eq!(pause(2 * SECOND, None, SECOND), None);
        assert_eq!(pause(SECOND, Some(SECOND), SECOND), Some(SECOND));
    }

    proptest! {
        #[test]
        fn no_pause_is_shorter_than_asked_or_longer_than_what_is_left(
            drawn: Duration,
            asked: Option<Duration>,
            longest: Duration,
            left: Duration,
            die: u64,
        ) {
            let asked_for = asked.unwrap_or_default();
            match pause(drawn, asked, longest, left, die) {
                Some(pause) => {
                    prop_assert!(pause >= drawn && pause >= asked_for && pause <= left);
                    prop_assert!(pause <= drawn.max(asked_for.saturating_add(asked_for / 10)));
                    prop_assert!(asked_for <= longest);
                }
                None => prop_assert!(asked_for > longest || asked_for > left || drawn > left),
            }
        }
    }
}
