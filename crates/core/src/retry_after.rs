use std::time::{Duration, SystemTime};

use http::header::{DATE, HeaderMap, HeaderValue, RETRY_AFTER};

/// The longest delay that is told apart from a longer one: 30 years.
const LONGEST: u64 = 30 * 365 * 24 * 60 * 60;

/// How long the server asks us to stay away: the `Retry-After` of RFC 9110 §10.2.3.
///
/// Seconds saturate at 30 years. A date (all three forms of RFC 9110 §5.6.7) is measured against the
/// answer's own `Date` when it has one, so that two clocks that differ do no harm; a date in the past
/// is no delay. Anything else is ignored.
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use outrigger_core::RetryAfter;
///
/// let mut headers = http::HeaderMap::new();
/// headers.insert("retry-after", "120".parse().unwrap());
/// let asked = RetryAfter::parse(&headers, SystemTime::UNIX_EPOCH).unwrap();
/// assert_eq!(asked.delay(), Duration::from_secs(120));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RetryAfter(Duration);

impl RetryAfter {
    /// Reads the headers of an answer that was received at the wall time `now`. Of several
    /// `Retry-After` the longest is obeyed.
    pub fn parse(headers: &HeaderMap, now: SystemTime) -> Option<Self> {
        let sent = headers.get(DATE).and_then(date).unwrap_or(now);
        let asked = headers.get_all(RETRY_AFTER).into_iter();
        asked
            .filter_map(|value| seconds(value).or_else(|| until(value, sent)))
            .max()
            .map(Self)
    }

    /// How long to stay away, from the moment the answer came.
    pub fn delay(self) -> Duration {
        self.0
    }
}

/// `delay-seconds`: digits and nothing else.
fn seconds(value: &HeaderValue) -> Option<Duration> {
    let digits = value.as_bytes();
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let seconds = digits.iter().fold(0_u64, |sum, digit| {
        sum.saturating_mul(10)
            .saturating_add(u64::from(digit - b'0'))
            .min(LONGEST)
    });
    Some(Duration::from_secs(seconds))
}

/// An HTTP date, as the time from `sent` until then.
fn until(value: &HeaderValue, sent: SystemTime) -> Option<Duration> {
    let wait = date(value)?.duration_since(sent).unwrap_or_default();
    Some(wait.min(Duration::from_secs(LONGEST)))
}

fn date(value: &HeaderValue) -> Option<SystemTime> {
    httpdate::parse_http_date(value.to_str().ok()?).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Sun, 06 Nov 1994 08:49:37 GMT, the example of RFC 9110.
    fn now() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777)
    }

    fn asked(values: &[&str]) -> Option<u64> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(RETRY_AFTER, HeaderValue::from_str(value).unwrap());
        }
        RetryAfter::parse(&headers, now()).map(|asked| asked.delay().as_secs())
    }

    #[test]
    fn seconds_saturate_and_garbage_is_ignored() {
        assert_eq!(asked(&["0"]), Some(0));
        assert_eq!(asked(&["120"]), Some(120));
        assert_eq!(asked(&["9223372036854775808"]), Some(LONGEST));
        assert_eq!(asked(&["18446744073709551616"]), Some(LONGEST));
        for garbage in ["", "-1", "1x", "1.5", "+3", " ", "tomorrow"] {
            assert_eq!(asked(&[garbage]), None, "{garbage:?}");
        }
        assert_eq!(asked(&["1", "7", "junk"]), Some(7));
    }

    #[test]
    fn a_date_in_each_of_the_three_forms_is_a_delay() {
        assert_eq!(asked(&["Sun, 06 Nov 1994 08:50:07 GMT"]), Some(30));
        assert_eq!(asked(&["Sunday, 06-Nov-94 08:50:07 GMT"]), Some(30));
        assert_eq!(asked(&["Sun Nov  6 08:50:07 1994"]), Some(30));
        assert_eq!(asked(&["Sun, 06 Nov 1994 08:49:07 GMT"]), Some(0));
    }

    #[test]
    fn a_date_is_measured_against_the_servers_own_clock() {
        let mut headers = HeaderMap::new();
        headers.insert(
            DATE,
            HeaderValue::from_static("Sun, 06 Nov 1994 06:00:00 GMT"),
        );
        headers.insert(
            RETRY_AFTER,
            HeaderValue::from_static("Sun, 06 Nov 1994 06:00:05 GMT"),
        );
        let asked = RetryAfter::parse(&headers, now()).unwrap();
        assert_eq!(asked.delay(), Duration::from_secs(5));
    }

    proptest! {
        #[test]
        fn no_bytes_cause_a_panic_or_a_delay_beyond_the_longest(bytes in any::<Vec<u8>>()) {
            if let Ok(value) = HeaderValue::from_bytes(&bytes) {
                let headers = HeaderMap::from_iter([(RETRY_AFTER, value)]);
                if let Some(asked) = RetryAfter::parse(&headers, now()) {
                    prop_assert!(asked.delay() <= Duration::from_secs(LONGEST));
                }
            }
        }

        #[test]
        fn every_number_of_seconds_is_obeyed(seconds: u64) {
            prop_assert_eq!(asked(&[&seconds.to_string()]), Some(seconds.min(LONGEST)));
        }
    }
}
