use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A span of time as it is written on the command line: `50ms`, `3s`, `2m`, `1h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Span(pub(crate) Duration);

/// Unit and milliseconds in it, the longest unit first.
const UNITS: [(&str, u64); 4] = [("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let unit_at = text
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(text.len());
        let (number, unit) = text.split_at(unit_at);
        let (_, millis) = UNITS
            .into_iter()
            .find(|(name, _)| *name == unit)
            .ok_or("a number and a unit are needed, as in 50ms, 3s or 2m")?;
        number
            .parse::<u64>()
            .ok()
            .and_then(|number| number.checked_mul(millis))
            .map(|millis| Self(Duration::from_millis(millis)))
            .ok_or_else(|| "the number before the unit is missing or too large".to_owned())
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0.as_millis();
        let whole = UNITS
            .into_iter()
            .find(|(_, unit)| millis > 0 && millis.is_multiple_of(u128::from(*unit)));
        match whole {
            Some((name, unit)) => write!(f, "{}{name}", millis / u128::from(unit)),
            None => f.write_str("0ms"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_and_written() {
        for text in ["50ms", "3s", "2m", "1h", "0ms", "1500ms"] {
            assert_eq!(text.parse::<Span>().unwrap().to_string(), text);
        }
        assert_eq!("120s".parse::<Span>().unwrap().to_string(), "2m");
    }

    #[test]
    fn what_is_no_span_is_refused() {
        for text in [
            "",
            "s",
            "3",
            "3 s",
            "-3s",
            "1.5s",
            "99999999999999999999s",
            "9999999999999999h",
        ] {
            assert!(text.parse::<Span>().is_err(), "{text}");
        }
    }
}
