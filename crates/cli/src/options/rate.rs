use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

/// So many calls in a unit of time: `100/s`, `600/m`, `5000/h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rate {
    pub(crate) calls: NonZeroU32,
    pub(crate) unit: char,
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
    fn a_rate_is_read() {
        for text in ["100/s", "600/m", "1/h"] {
            assert_eq!(text.parse::<Rate>().unwrap().to_string(), text);
        }
        for text in ["", "100", "0/s", "-1/s", "100/d", "x/s"] {
            assert!(text.parse::<Rate>().is_err(), "{text}");
        }
    }
}
