use std::str::FromStr;

use super::Span;

/// The longest pause before the first retry and the longest before any: `50ms..20s`.
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
            .ok_or("two pauses are needed, as in 50ms..20s")?;
        Ok(Self {
            base: base.parse()?,
            cap: cap.parse()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_of_pauses_is_read() {
        let backoff: Backoff = "50ms..20s".parse().unwrap();
        assert_eq!(
            (backoff.base.to_string(), backoff.cap.to_string()),
            ("50ms".into(), "20s".into())
        );
        for text in ["50ms", "50ms..", "..20s", "50ms-20s"] {
            assert!(text.parse::<Backoff>().is_err(), "{text}");
        }
    }
}
