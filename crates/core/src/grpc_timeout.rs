//! The `grpc-timeout` header of gRPC over HTTP/2: at most eight digits and a unit.

use std::time::Duration;

use http::header::{HeaderName, HeaderValue};

/// `grpc-timeout`.
pub const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");

/// The largest number the header can carry: eight digits.
const LARGEST: u128 = 99_999_999;

/// The units by size, smallest first, with their length in nanoseconds.
const UNITS: [(u8, u128); 6] = [
    (b'n', 1),
    (b'u', 1_000),
    (b'm', 1_000_000),
    (b'S', 1_000_000_000),
    (b'M', 60 * 1_000_000_000),
    (b'H', 3_600 * 1_000_000_000),
];

/// Formats a timeout in the finest unit that holds it in eight digits, rounded down.
///
/// `None` for less than a nanosecond: zero is never sent. More than 99,999,999 hours is sent as that.
///
/// ```
/// use std::time::Duration;
/// use outrigger_core::grpc_timeout;
///
/// assert_eq!(grpc_timeout::format(Duration::from_millis(300)).unwrap(), "300000u");
/// assert_eq!(grpc_timeout::format(Duration::ZERO), None);
/// ```
pub fn format(timeout: Duration) -> Option<HeaderValue> {
    let nanos = timeout.as_nanos();
    let fits = |&(_, length): &(u8, u128)| nanos / length <= LARGEST;
    let (unit, length) = UNITS.into_iter().find(fits).unwrap_or(UNITS[5]);
    let number = (nanos / length).min(LARGEST);
    if number == 0 {
        return None;
    }
    HeaderValue::try_from(format!("{number}{}", char::from(unit))).ok()
}

/// Parses a timeout; anything but one to eight digits and a unit is ignored.
///
/// ```
/// use std::time::Duration;
/// use outrigger_core::grpc_timeout;
///
/// let value = http::HeaderValue::from_static("2S");
/// assert_eq!(grpc_timeout::parse(&value), Some(Duration::from_secs(2)));
/// ```
pub fn parse(value: &HeaderValue) -> Option<Duration> {
    let (unit, digits) = value.as_bytes().split_last()?;
    if !(1..=8).contains(&digits.len()) || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number = digits
        .iter()
        .fold(0_u64, |sum, digit| sum * 10 + u64::from(digit - b'0'));
    match unit {
        b'n' => Some(Duration::from_nanos(number)),
        b'u' => Some(Duration::from_micros(number)),
        b'm' => Some(Duration::from_millis(number)),
        b'S' => Some(Duration::from_secs(number)),
        b'M' => Some(Duration::from_secs(number * 60)),
        b'H' => Some(Duration::from_secs(number * 3_600)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_finest_unit_that_fits_is_used() {
        let cases = [
            (Duration::from_nanos(1), "1n"),
            (Duration::from_nanos(99_999_999), "99999999n"),
            (Duration::from_nanos(100_000_999), "100000u"),
            (Duration::from_secs(100), "100000m"),
            (Duration::from_secs(100_000), "100000S"),
            (Duration::from_nanos(u64::MAX), "5124095H"),
            (Duration::MAX, "99999999H"),
        ];
        for (timeout, expected) in cases {
            assert_eq!(format(timeout).unwrap(), expected);
        }
    }

    #[test]
    fn malformed_values_are_ignored() {
        for value in [
            "",
            "S",
            "1",
            "1s",
            "-1S",
            "+1S",
            "1.5S",
            "123456789n",
            " 1S",
            "1S ",
        ] {
            assert_eq!(parse(&HeaderValue::from_static(value)), None, "{value:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_sent_is_never_longer_and_at_most_eight_digits(secs: u64, nanos in 0..1_000_000_000_u32) {
            let timeout = Duration::new(secs, nanos);
            if let Some(value) = format(timeout) {
                prop_assert!(value.len() <= 9);
                let back = parse(&value).unwrap();
                prop_assert!(back <= timeout && back > Duration::ZERO);
                if timeout <= Duration::from_secs(99_999_999 * 3_600) {
                    prop_assert!(timeout - back <= timeout / 10_000);
                }
            }
        }

        #[test]
        fn no_bytes_cause_a_panic(bytes in any::<Vec<u8>>()) {
            if let Ok(value) = HeaderValue::from_bytes(&bytes) {
                parse(&value);
            }
        }
    }
}
