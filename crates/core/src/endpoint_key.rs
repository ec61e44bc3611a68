use std::fmt;

use http::Uri;
use http::uri::Scheme;

/// The longest key that is kept without an allocation, in bytes.
const INLINE: usize = 64;

/// An [`Endpoint`](crate::Endpoint) as the key of a [`Keyed`](crate::Keyed) table: the same for all
/// spellings of one scheme, host and port, and made without an allocation for hosts of up to 61
/// bytes.
///
/// URIs without a host share a key, and so do schemes other than `http` and `https`.
///
/// ```
/// use outrigger_core::EndpointKey;
///
/// let key = |uri: &str| EndpointKey::of(&uri.parse().unwrap());
/// assert_eq!(key("https://a.example/x"), key("HTTPS://A.example:443"));
/// assert_ne!(key("https://a.example/x"), key("http://a.example/x"));
/// ```
#[derive(Clone)]
pub struct EndpointKey {
    inline: [u8; INLINE],
    len: usize,
    long: Box<[u8]>,
}

impl EndpointKey {
    /// The key of a request's URI.
    pub fn of(uri: &Uri) -> Self {
        let (scheme, default_port) = match uri.scheme() {
            Some(scheme) if *scheme == Scheme::HTTPS => (2, 443),
            Some(scheme) if *scheme == Scheme::HTTP => (1, 80),
            _ => (0, 0),
        };
        let [high, low] = uri.port_u16().unwrap_or(default_port).to_be_bytes();
        let host = uri.host().unwrap_or_default().as_bytes();
        let mut key = Self {
            inline: [0; INLINE],
            len: 3 + host.len(),
            long: Box::default(),
        };
        let bytes = if key.len <= INLINE {
            &mut key.inline[..key.len]
        } else {
            key.long = vec![0; key.len].into_boxed_slice();
            &mut *key.long
        };
        bytes[..3].copy_from_slice(&[scheme, high, low]);
        bytes[3..].copy_from_slice(host);
        bytes[3..].make_ascii_lowercase();
        key
    }

    /// The key itself.
    pub fn as_bytes(&self) -> &[u8] {
        if self.len <= INLINE {
            &self.inline[..self.len]
        } else {
            &self.long
        }
    }
}

impl PartialEq for EndpointKey {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for EndpointKey {}

impl fmt::Debug for EndpointKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EndpointKey({})", self.as_bytes().escape_ascii())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Endpoint;

    #[test]
    fn a_uri_without_a_host_has_a_key_too() {
        let key = |uri: &str| EndpointKey::of(&uri.parse().unwrap());
        assert_eq!(key("/path"), key("*"));
        assert_ne!(key("/path"), key("http://a"));
    }

    proptest! {
        #[test]
        fn two_keys_are_equal_as_their_endpoints_are(
            one in "(http|https|HTTP)://(u@)?[aAb]{1,2}(:80|:443|:8080|:)?/x?",
            other in "(http|https|HTTP)://(u@)?[aAb]{1,2}(:80|:443|:8080|:)?/x?",
            long in 0_usize..90,
        ) {
            let pad = "x".repeat(long);
            let uri = |uri: &str| uri.replacen("://", &format!("://{pad}"), 1).parse::<Uri>();
            if let (Ok(one), Ok(other)) = (uri(&one), uri(&other)) {
                let same = Endpoint::of(&one).unwrap() == Endpoint::of(&other).unwrap();
                prop_assert_eq!(EndpointKey::of(&one) == EndpointKey::of(&other), same);
            }
        }
    }
}
