use bytes::Bytes;
use http::HeaderValue;

use crate::IdempotencyKey;
use crate::uuid;

/// How a key is written in its header. A server that expects the other form takes each attempt for a
/// new call, so there is no default: ask its documentation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum KeyFormat {
    /// `"transfer-17"`: a String of RFC 9651 §3.3.3, in quotes, with `"` and `\` escaped. What
    /// draft-ietf-httpapi-idempotency-key-header §2.1 asks for.
    StructuredString,
    /// `transfer-17`: the bare characters. What Stripe, Adyen, PayPal and most others take.
    Raw,
}

impl KeyFormat {
    /// The header's value that carries a key.
    pub(crate) fn value(self, key: &IdempotencyKey) -> Option<HeaderValue> {
        match self {
            Self::StructuredString => secret(quoted(key.as_str())),
            Self::Raw => secret(key.as_str().to_owned()),
        }
    }

    /// The header's value that carries a new key. It costs one allocation; its clones cost none.
    pub(crate) fn random(self) -> Option<HeaderValue> {
        let uuid = uuid::v4(rand::random());
        match self {
            Self::StructuredString => {
                let mut quoted = [b'"'; 38];
                quoted[1..37].copy_from_slice(&uuid);
                secret(quoted)
            }
            Self::Raw => secret(uuid),
        }
    }
}

/// Serialises a String as RFC 9651 §4.1.6 says.
fn quoted(text: &str) -> String {
    let escaped = text.replace('\\', r"\\").replace('"', r#"\""#);
    format!(r#""{escaped}""#)
}

/// A value that stays out of logs and of HPACK's tables. Every key makes a valid one; `None` rather
/// than a stand-in, which would be the same key for two calls.
fn secret(text: impl AsRef<[u8]> + Send + 'static) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_maybe_shared(Bytes::from_owner(text)).ok()?;
    value.set_sensitive(true);
    Some(value)
}

#[cfg(test)]
mod tests {
    use ::uuid::Uuid;
    use proptest::prelude::*;

    use super::*;
    use crate::key::LONGEST;

    fn written(format: KeyFormat, text: &str) -> String {
        let value = format.value(&IdempotencyKey::parse(text).unwrap()).unwrap();
        assert!(value.is_sensitive());
        value.to_str().unwrap().to_owned()
    }

    /// Parses a String as RFC 9651 §4.2.5 says.
    fn unquoted(value: &str) -> Option<String> {
        let mut characters = value.chars();
        let mut text = String::new();
        if characters.next()? != '"' {
            return None;
        }
        loop {
            match characters.next()? {
                '\\' => text.push(
                    characters
                        .next()
                        .filter(|next| matches!(next, '"' | '\\'))?,
                ),
                '"' => return characters.next().is_none().then_some(text),
                character if matches!(character, ' '..='~') => text.push(character),
                _ => return None,
            }
        }
    }

    #[test]
    fn the_two_formats_to_the_byte() {
        let keys = [
            ("transfer-17", r#""transfer-17""#, "transfer-17"),
            ("a b", r#""a b""#, "a b"),
            (r#"say "hi""#, r#""say \"hi\"""#, r#"say "hi""#),
            (r"back\slash", r#""back\\slash""#, r"back\slash"),
            (r#"\""#, r#""\\\"""#, r#"\""#),
        ];
        for (key, structured, raw) in keys {
            assert_eq!(written(KeyFormat::StructuredString, key), structured);
            assert_eq!(written(KeyFormat::Raw, key), raw);
        }
    }

    #[test]
    fn a_new_key_is_written_like_any_other() {
        for format in [KeyFormat::StructuredString, KeyFormat::Raw] {
            let value = format.random().unwrap();
            assert!(value.is_sensitive());
            let text = value.to_str().unwrap();
            let key = match format {
                KeyFormat::StructuredString => unquoted(text).unwrap(),
                KeyFormat::Raw => text.to_owned(),
            };
            assert_eq!(Uuid::parse_str(&key).unwrap().hyphenated().to_string(), key);
            assert_eq!(written(format, &key), text);
        }
    }

    proptest! {
        #[test]
        fn every_key_reads_back_from_both_formats(text in r#"[!-~]([ -~]{0,253}[!-~])?"#) {
            prop_assert!(text.len() <= LONGEST);
            prop_assert_eq!(&written(KeyFormat::Raw, &text), &text);
            prop_assert_eq!(unquoted(&written(KeyFormat::StructuredString, &text)), Some(text));
        }
    }
}
