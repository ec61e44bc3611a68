use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

use outrigger::rate_limit::Quota;

/// So many calls in a unit of time: `100/s`, `600/m`, `5000/h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rate {
    pub(crate) calls: NonZeroU32,
    pub(crate) unit: char,
}

impl Rate {
    /// The quota of this rate, with a burst of one unless it is said.
    pub(crate) fn quota(self, burst: Option<NonZeroU32>) -> Quota {
        let quota = match self.unit {
            's' => Quota::per_second(self.calls),
            'm' => Quota::per_minute(self.calls),
            _ => Quota::per_hour(self.calls),
        };
        quota.burst(burst.unwrap_or(NonZeroU32::MIN))
    }
}

impl FromStr for Rate {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        const HELP: &str = "a number of calls from 1 and a unit are needed, as in 100/s or 600/m";
        let (calls, unit) = text.split_once('/').ok_or(HELP)?;
        let unit = match unit {
            "s" => 's',
            "m" => 'm',
            "h" => 'h',
            _ => return Err(HELP),
        };
        let calls = calls.parse().map_err(|_| HELP)?;
        Ok(Self { calls, unit })
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.calls, self.unit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_a_quota() {
        for (text, millis) in [("100/s", 10), ("600/m", 100), ("3600/h", 1_000)] {
            let quota = text.parse::<Rate>().unwrap().quota(NonZeroU32::new(7));
            assert_eq!(quota.interval().as_millis(), millis, "{text}");
            assert_eq!(quota.burst_size().get(), 7);
        }
        let quota = "1/s".parse::<Rate>().unwrap().quota(None);
        assert_eq!(quota.burst_size().get(), 1);
    }

    #[test]
    fn a_rate_is_read() {
        for text in ["100/s", "600/m", "1/h"] {
            assert_eq!(text.parse::<Rate>().unwrap().to_string(), text);
        }
        for text in ["", "100", "0/s", "-1/s", "100/d", "x/s"] {
            assert!(text.parse::<Rate>().is_err(), "{text}");
        }
    }
}
