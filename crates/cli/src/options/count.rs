use std::num::{IntErrorKind, ParseIntError};
use std::str::FromStr;

/// Reads a number from 1, such as a `NonZeroU32`.
pub(crate) fn count<N: FromStr<Err = ParseIntError>>(text: &str) -> Result<N, String> {
    text.parse()
        .map_err(|error: ParseIntError| match error.kind() {
            IntErrorKind::Zero => "a number from 1 is needed".to_owned(),
            _ => error.to_string(),
        })
}
