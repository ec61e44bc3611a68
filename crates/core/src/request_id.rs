use std::error::Error;
use std::fmt;

use http::HeaderValue;

/// The longest request id that is taken from anybody, in bytes.
const LONGEST: usize = 128;

/// The id of one logical call: 1 to 128 characters of `[A-Za-z0-9._:/+=-]`.
///
/// In a request's extensions it is the caller's own id for that call.
///
/// ```
/// use outrigger_core::RequestId;
///
/// assert_eq!(RequestId::parse("order-17").unwrap().as_str(), "order-17");
/// assert!(RequestId::parse("two words").is_err());
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct RequestId(HeaderValue);

impl RequestId {
    /// Takes a text as an id.
    ///
    /// # Errors
    /// [`InvalidRequestId`] when it is empty, too long, or has any other character.
    pub fn parse(text: &str) -> Result<Self, InvalidRequestId> {
        HeaderValue::from_str(text)
            .map_err(|_| InvalidRequestId)
            .and_then(Self::try_from)
    }

    /// Takes a value that is an id by construction, unchecked in a release build.
    #[doc(hidden)]
    pub fn trusted(value: HeaderValue) -> Self {
        debug_assert!(Self::accepts(&value));
        Self(value)
    }

    /// Whether a header's value is an id.
    pub fn accepts(value: &HeaderValue) -> bool {
        let bytes = value.as_bytes();
        (1..=LONGEST).contains(&bytes.len()) && bytes.iter().all(|&byte| ALLOWED[usize::from(byte)])
    }

    /// The id as a header's value.
    pub fn as_header(&self) -> &HeaderValue {
        &self.0
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }
}

impl TryFrom<HeaderValue> for RequestId {
    type Error = InvalidRequestId;

    fn try_from(value: HeaderValue) -> Result<Self, InvalidRequestId> {
        if Self::accepts(&value) {
            Ok(Self(value))
        } else {
            Err(InvalidRequestId)
        }
    }
}

impl From<RequestId> for HeaderValue {
    fn from(id: RequestId) -> Self {
        id.0
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RequestId({})", self.as_str())
    }
}

/// Which bytes an id may have; asked for each byte of each id that comes in.
const ALLOWED: [bool; 256] = {
    let mut allowed = [false; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        allowed[byte as usize] = byte.is_ascii_alphanumeric()
            || matches!(byte, b'.' | b'_' | b':' | b'/' | b'+' | b'=' | b'-');
        byte += 1;
    }
    allowed
};

/// A text that is no request id. It does not repeat the text, which may be hostile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidRequestId;

impl fmt::Display for InvalidRequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "a request id has 1 to {LONGEST} characters of [A-Za-z0-9._:/+=-]"
        )
    }
}

impl Error for InvalidRequestId {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn whatever_passes_matches_the_pattern(bytes in prop::collection::vec(any::<u8>(), 0..140)) {
            if let Ok(value) = HeaderValue::from_bytes(&bytes) {
                let expected = (1..=128).contains(&bytes.len())
                    && bytes.iter().all(|byte| matches!(byte, b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9'
                        | b'.' | b'_' | b':' | b'/' | b'+' | b'=' | b'-'));
                prop_assert_eq!(RequestId::try_from(value).is_ok(), expected);
            }
        }

        #[test]
        fn good_ids_of_any_length_up_to_the_longest_pass(id in "[A-Za-z0-9._:/+=-]{1,128}") {
            let parsed = RequestId::parse(&id).unwrap();
            prop_assert_eq!(parsed.as_str(), &id);
        }
    }
}
