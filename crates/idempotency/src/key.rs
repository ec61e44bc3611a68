use std::error::Error;
use std::fmt;
use std::sync::Arc;

use crate::uuid;

/// The longest key, in characters: what Stripe takes.
pub(crate) const LONGEST: usize = 255;

/// The key of one logical call: 1 to 255 characters of printable ASCII, no space at either end.
///
/// In a request's extensions it is the caller's own key for that call: the name of the business
/// operation, kept where it outlives the process, guards against a second execution even after a
/// restart. It is part of what authorises a call: `Debug` hides it.
///
/// ```
/// use outrigger_idempotency::IdempotencyKey;
///
/// let key = IdempotencyKey::parse("transfer-17").unwrap();
/// assert_eq!(key.as_str(), "transfer-17");
/// assert_eq!(format!("{key:?}"), "IdempotencyKey(..)");
/// assert!(IdempotencyKey::parse("Überweisung").is_err());
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct IdempotencyKey(Arc<str>);

impl IdempotencyKey {
    /// Takes a text as a key.
    ///
    /// # Errors
    /// [`InvalidIdempotencyKey`] when it is empty, too long, has a character beyond printable ASCII
    /// (which no String of RFC 9651 §3.3.3 may have), or begins or ends with a space (which HTTP
    /// strips).
    pub fn parse(text: &str) -> Result<Self, InvalidIdempotencyKey> {
        let printable = text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
        let bare = !text.starts_with(' ') && !text.ends_with(' ');
        if printable && bare && (1..=LONGEST).contains(&text.len()) {
            Ok(Self(text.into()))
        } else {
            Err(InvalidIdempotencyKey)
        }
    }

    /// Makes a new key: the text of a UUIDv4, 122 random bits from the thread's cryptographic
    /// generator.
    ///
    /// That generator does not notice a `fork` of the process: two processes that go on from one
    /// image, without `exec`, would make the same keys.
    pub fn random() -> Self {
        Self(String::from_utf8_lossy(&uuid::v4(rand::random())).into())
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for IdempotencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IdempotencyKey(..)")
    }
}

/// A text that is no idempotency key. It does not repeat the text, which may be secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidIdempotencyKey;

impl fmt::Display for InvalidIdempotencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "an idempotency key has 1 to {LONGEST} characters of printable ascii, \
             no space at either end"
        )
    }
}

impl Error for InvalidIdempotencyKey {}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::thread;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_key_is_printable_ascii_of_sane_length() {
        for good in ["k", "a b", r#"a"b\c"#, "~!,;=", &"k".repeat(255)] {
            assert_eq!(IdempotencyKey::parse(good).unwrap().as_str(), good);
        }
        let long = "k".repeat(256);
        for bad in [
            "",
            " ",
            " k",
            "k ",
            "k\n",
            "k\r\nx: y",
            "\0",
            "\t",
            "\u{7f}",
            "é",
            &long,
        ] {
            assert_eq!(
                IdempotencyKey::parse(bad),
                Err(InvalidIdempotencyKey),
                "{bad:?}"
            );
        }
    }

    #[test]
    fn ten_thousand_keys_of_eight_threads_are_distinct() {
        let make = || {
            (0..1_250)
                .map(|_| IdempotencyKey::random())
                .collect::<Vec<_>>()
        };
        let threads: Vec<_> = (0..8).map(|_| thread::spawn(make)).collect();
        let keys: HashSet<_> = threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap())
            .collect();
        assert_eq!(keys.len(), 10_000);
    }

    proptest! {
        #[test]
        fn no_text_causes_a_panic_or_shows_in_debug(text in r"[ -~\n\x00é]{0,260}|.*") {
            if let Ok(key) = IdempotencyKey::parse(&text) {
                prop_assert_eq!(format!("{key:?}"), "IdempotencyKey(..)");
            }
        }
    }
}
