use std::fmt;
use std::str::FromStr;

use super::Span;

/// The shortest and the longest pause between attempts: `50ms..20s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Backoff {
    pub(crate) base: Span,
    pub(crate) cap: Span,
}

impl FromStr for Backoff {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (base, cap) = text
            .split_once("..")
            .ok_or("a shortest and a longest pause are needed, as in 50ms..20s")?;
        Ok(Self {
            base: base.parse()?,
            cap: cap.parse()?,
        })
    }
}

impl fmt::Display for Backoff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}", self.base, self.cap)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_of_pauses_is_read() {
        let backoff: Backoff = "50ms..20s".parse().unwrap();
        assert_eq!(backoff.to_string(), "50ms..20s");
        for text in ["50ms", "50ms..", "..20s", "50ms-20s"] {
            assert!(text.parse::<Backoff>().is_err(), "{text}");
        }
    }
}
