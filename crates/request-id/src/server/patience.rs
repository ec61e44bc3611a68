use std::time::Duration;

use http::header::{HeaderMap, HeaderName, HeaderValue};
use outrigger_core::grpc_timeout::{self, GRPC_TIMEOUT};

/// How long the client will wait, by its `grpc-timeout` or the named header; the shorter of two.
pub(super) fn stated(headers: &HeaderMap, named: Option<&HeaderName>) -> Option<Duration> {
    let grpc = headers.get(GRPC_TIMEOUT).and_then(grpc_timeout::parse);
    let plain = named.and_then(|name| headers.get(name)).and_then(millis);
    grpc.into_iter().chain(plain).min()
}

/// Relative milliseconds in decimal digits. Anything else is ignored; too many are as many as fit.
fn millis(value: &HeaderValue) -> Option<Duration> {
    let digits = value.as_bytes();
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number = digits.iter().fold(0_u64, |sum, digit| {
        sum.saturating_mul(10)
            .saturating_add(u64::from(digit - b'0'))
    });
    Some(Duration::from_millis(number))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parsed(text: &str) -> Option<Duration> {
        millis(&HeaderValue::from_str(text).unwrap())
    }

    #[test]
    fn only_digits_are_milliseconds() {
        assert_eq!(parsed("0"), Some(Duration::ZERO));
        assert_eq!(parsed("1500"), Some(Duration::from_millis(1500)));
        for text in ["", "+5", "-5", "1.5", "5 ", "5ms", "0x5"] {
            assert_eq!(parsed(text), None, "{text:?}");
        }
    }

    #[test]
    fn more_than_fits_is_as_much_as_fits() {
        assert_eq!(
            parsed(&"9".repeat(4096)),
            Some(Duration::from_millis(u64::MAX))
        );
    }

    #[test]
    fn of_two_statements_the_shorter_counts() {
        let name = HeaderName::from_static("x-timeout-ms");
        let mut headers = HeaderMap::new();
        assert_eq!(stated(&headers, Some(&name)), None);
        headers.insert(GRPC_TIMEOUT, HeaderValue::from_static("2S"));
        headers.insert(&name, HeaderValue::from_static("1500"));
        assert_eq!(
            stated(&headers, Some(&name)),
            Some(Duration::from_millis(1500))
        );
        assert_eq!(stated(&headers, None), Some(Duration::from_secs(2)));
    }

    proptest! {
        #[test]
        fn every_number_of_milliseconds_is_read(number: u64) {
            prop_assert_eq!(parsed(&number.to_string()), Some(Duration::from_millis(number)));
        }
    }
}
