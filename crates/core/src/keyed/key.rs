use http::Uri;

/// What an entry of a [`Keyed`](super::Keyed) table is asked for by, in words that are equal where keys
/// are.
///
/// The words of an endpoint are those of its authority with the case of letters taken out. An authority
/// that is written in [normal form](normal_form), as nearly all are, is looked up as it stands, neither
/// parsed nor copied. In another spelling it equals no key that was kept, for these are normal forms.
#[derive(Clone, Copy, Debug)]
pub(super) struct Key<'a> {
    /// The kind, and the length in bytes.
    pub(super) shape: u64,
    /// The first and the last 16 bytes.
    pub(super) ends: [u128; 2],
    /// The bytes between; the last of them are perhaps in both.
    middle: &'a [[u8; 16]],
    /// The bits in which words may differ and yet be equal.
    case: u128,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// These very bytes.
    Bytes = 0,
    /// An authority without a scheme, or with one of which we know no port.
    Other = 1,
    Http = 2,
    Https = 3,
}

impl<'a> Key<'a> {
    /// A key of any bytes. None equals that of an endpoint.
    #[inline]
    pub(super) fn of_bytes(bytes: &'a [u8]) -> Self {
        Self::new(Kind::Bytes, bytes, 0)
    }

    /// The key of a URI's endpoint as it is spelled. User information, path and query play no part.
    #[inline]
    pub(super) fn as_spelled(uri: &'a Uri) -> Self {
        let authority = uri.authority().map_or("", |authority| authority.as_str());
        Self::new(Kind::of(uri), authority.as_bytes(), CASE)
    }

    /// The key of a URI's endpoint by the authority's [normal form](normal_form).
    pub(super) fn as_normal(uri: &Uri, form: &'a [u8]) -> Self {
        Self::new(Kind::of(uri), form, CASE)
    }

    #[inline]
    fn new(kind: Kind, bytes: &'a [u8], case: u128) -> Self {
        let ends = match (bytes.first_chunk(), bytes.last_chunk()) {
            (Some(first), Some(last)) => [first, last].map(|end| u128::from_le_bytes(*end)),
            _ => [short(bytes), 0],
        };
        // Words from the 17th byte on, up to one that meets the last.
        let middle = match bytes.len() {
            0..=32 => None,
            len => bytes.get(16..len - 1),
        };
        Self {
            shape: (bytes.len() as u64) << 2 | kind as u64,
            ends: ends.map(|word| word | case),
            middle: middle.unwrap_or_default().as_chunks().0,
            case,
        }
    }

    /// The words between the ends.
    #[inline]
    pub(super) fn middle(self) -> impl ExactSizeIterator<Item = u128> {
        let words = self.middle.iter();
        words.map(move |word| u128::from_le_bytes(*word) | self.case)
    }

    /// Whether this is the key that was kept.
    #[inline]
    pub(super) fn is(self, kept: &Kept) -> bool {
        // Each by itself: together they would be compared in memory.
        let [first, last] = self.ends;
        self.shape == kept.shape
            && first == kept.ends[0]
            && last == kept.ends[1]
            && (self.middle.is_empty() || self.middle().eq(kept.middle.iter().copied()))
    }

    /// The key to keep with an entry.
    pub(super) fn keep(self) -> Kept {
        Kept {
            shape: self.shape,
            ends: self.ends,
            middle: self.middle().collect(),
        }
    }
}

impl Kind {
    #[inline]
    fn of(uri: &Uri) -> Self {
        match uri.scheme_str() {
            Some("https") => Self::Https,
            Some("http") => Self::Http,
            _ => Self::Other,
        }
    }
}

/// The bit of each byte in which the cases of a letter differ. Of all other bytes that an authority may
/// have, no two differ in it alone.
const CASE: u128 = u128::from_le_bytes([0x20; 16]);

/// A key that stands with its entry.
#[derive(Debug)]
pub(super) struct Kept {
    shape: u64,
    ends: [u128; 2],
    middle: Box<[u128]>,
}

/// The normal form of a URI's authority, but for the case of letters: the host, and the port where it is
/// not the scheme's own. Nothing, where the port is none.
#[cold]
pub(super) fn normal_form(uri: &Uri) -> Vec<u8> {
    let port = match (Kind::of(uri), crate::endpoint::port_of(uri)) {
        (_, Err(_)) => return Vec::new(),
        (Kind::Https, Ok(Some(443))) | (Kind::Http, Ok(Some(80))) | (_, Ok(None)) => String::new(),
        (_, Ok(Some(port))) => format!(":{port}"),
    };
    let host = uri.host().unwrap_or_default();
    (host.to_owned() + &port).into_bytes()
}

/// Less than 16 bytes in one word.
#[inline]
fn short(bytes: &[u8]) -> u128 {
    let (low, high) = match (bytes.first_chunk(), bytes.last_chunk()) {
        (Some(first), Some(last)) => (u64::from_le_bytes(*first), u64::from_le_bytes(*last)),
        _ => {
            let word = |word, byte: &u8| word << 8 | u64::from(*byte);
            (bytes.iter().fold(0, word), 0)
        }
    };
    u128::from(high) << 64 | u128::from(low)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use http::uri::Authority;
    use proptest::prelude::*;

    use super::*;
    use crate::Endpoint;
    use crate::keyed::seed::Seed;

    fn kept(uri: &Uri) -> Kept {
        Key::as_normal(uri, &normal_form(uri)).keep()
    }

    /// Whether two URIs are the same key, as a table finds it out; asserts that hashes agree with it.
    fn same(one: &str, other: &str) -> bool {
        let (seed, one, other) = (Seed::random(), one.parse().unwrap(), other.parse().unwrap());
        let (form, other_form) = (normal_form(&one), normal_form(&other));
        let spelled = Key::as_spelled(&one);
        let (key, other) = (
            Key::as_normal(&one, &form),
            Key::as_normal(&other, &other_form),
        );
        let same = key.is(&other.keep());
        assert_eq!(
            same,
            seed.hash(key) == seed.hash(other),
            "{key:?} {other:?}"
        );
        assert!(key.is(&key.keep()) && spelled.is(&spelled.keep()));
        assert!(!spelled.is(&other.keep()) || same, "{spelled:?} {other:?}");
        assert!(!spelled.is(&key.keep()) || seed.hash(spelled) == seed.hash(key));
        same
    }

    #[test]
    fn a_uri_without_a_host_has_a_key_too() {
        assert!(same("/path", "*"));
        assert!(!same("/path", "http://a"));
        assert!(!same("a:80", "http://a"));
        assert!(!same("ftp://a", "http://a"));
    }

    #[test]
    fn a_port_that_is_none_is_not_the_schemes_own() {
        for port in ["65536", "abc"] {
            let uri = format!("http://a:{port}/");
            assert!(!same(&uri, "http://a") && same(&uri, "http://b:65536"));
        }
    }

    #[test]
    fn the_usual_spellings_are_normal_forms_and_odd_ones_are_not() {
        for (uri, plain) in [
            ("http://upstream.example/x", true),
            ("https://UPSTREAM.example", true),
            ("http://10.0.0.1", true),
            ("http://10.0.0.1:8080", true),
            ("http://[::1]", true),
            ("http://[::1]:65535", true),
            ("http://service.name-space.svc.cluster.local:8080", true),
            ("https://a:80", true),
            ("http://a:80", false),
            ("https://a:443", false),
            ("http://a:", false),
            ("http://a:080", false),
            ("http://a:0000008080", false),
            ("http://u:p@a", false),
            ("http://a-long-user@a.example", false),
        ] {
            let uri = uri.parse().unwrap();
            assert_eq!(Key::as_spelled(&uri).is(&kept(&uri)), plain, "{uri}");
        }
    }

    #[test]
    fn an_authority_has_no_two_bytes_that_differ_as_cases_do_but_letters() {
        let may_have = |byte: u8| {
            let around = [("a", "b"), ("a", "b@c"), ("[a", "b]")];
            around.iter().any(|(before, after)| {
                let authority = [before.as_bytes(), &[byte], after.as_bytes()].concat();
                Authority::try_from(&*authority).is_ok()
            })
        };
        for byte in 0..=u8::MAX {
            let other = byte ^ CASE as u8;
            let is_letter = byte.is_ascii_alphabetic();
            assert!(is_letter || !may_have(byte) || !may_have(other), "{byte}");
            assert!(!is_letter || may_have(byte));
        }
    }

    #[test]
    fn similar_keys_spread_over_all_bits() {
        let seed = Seed::random();
        let of = |bytes: &str| seed.hash(Key::of_bytes(bytes.as_bytes()));
        for name in [
            "",
            "host-.example",
            "service-.name-space.svc.cluster.local:8080",
        ] {
            let (start, end) = name.split_once('-').unwrap_or_default();
            let hashes: Vec<_> = (0..4_096)
                .map(|n| of(&format!("{start}-{n}{end}")))
                .collect();
            for bits in [0, 12, 24, 32, 36, 52] {
                let seen: HashSet<_> = hashes.iter().map(|hash| hash >> bits & 0xfff).collect();
                // Of 4,096 cells, 4,096 throws meet 63 %.
                let seen = seen.len();
                assert!((2_400..2_800).contains(&seen), "{seen} at {bits} of {name}");
            }
        }
    }

    #[test]
    fn bytes_are_told_apart_by_case_and_from_endpoints() {
        let is = |one: &[u8], other: &[u8]| Key::of_bytes(one).is(&Key::of_bytes(other).keep());
        assert!(is(b"a", b"a") && !is(b"a", b"A"));
        assert!(!Key::of_bytes(b"a").is(&kept(&"http://a".parse().unwrap())));
    }

    proptest! {
        #[test]
        fn keys_of_bytes_are_equal_as_the_bytes_are(
            bytes in prop::collection::vec(any::<u8>(), 0..70),
            at in any::<prop::sample::Index>(),
            change in any::<u8>(),
            cut in any::<bool>(),
        ) {
            let (seed, mut other) = (Seed::random(), bytes.clone());
            if cut {
                other.pop();
            } else if !other.is_empty() {
                let at = at.index(other.len());
                other[at] ^= change;
            }
            let (key, other_key) = (Key::of_bytes(&bytes), Key::of_bytes(&other));
            prop_assert_eq!(key.is(&other_key.keep()), bytes == other);
            prop_assert_eq!(seed.hash(key) == seed.hash(other_key), bytes == other);
        }

        #[test]
        fn two_keys_are_equal_as_their_endpoints_are(
            one in "(http|https|HTTP)://(u@|u:p@)?[aAb1]{1,2}(:80|:443|:8080|:080|:0|:65535|:99999|:)?/x?",
            other in "(http|https|HTTP)://(u@|u:p@)?[aAb1]{1,2}(:80|:443|:8080|:080|:0|:65535|:99999|:)?/x?",
            long in 0_usize..60,
        ) {
            let pad = "x".repeat(long);
            let uri = |uri: &str| {
                let at = uri.find('@').map_or_else(|| uri.find("//").map(|at| at + 1), Some).unwrap();
                format!("{}{pad}{}", &uri[..=at], &uri[at + 1..])
            };
            let (one, other) = (uri(&one), uri(&other));
            let endpoint = |uri: &str| Endpoint::of(&uri.parse::<Uri>().ok()?).ok();
            if let (Some(endpoint), Some(expected)) = (endpoint(&one), endpoint(&other)) {
                prop_assert_eq!(same(&one, &other), endpoint == expected, "{} {}", one, other);
            }
        }
    }
}
