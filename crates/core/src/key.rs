use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;

use http::Uri;

/// What an entry of a [`Keyed`](crate::Keyed) table is asked for by.
///
/// An endpoint is asked for as its URI spells it. Nearly all spellings are plain: a host and perhaps a
/// port that is not the scheme's own, which is the normal form but for the case of letters, and that
/// hash and comparison ignore. So all spellings of an endpoint are one key, and the usual ones are
/// neither parsed nor copied.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key<'a> {
    kind: Kind,
    bytes: &'a [u8],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// These very bytes.
    Bytes = 0,
    /// An authority without a scheme, or with one of which we know no port.
    Other = 1,
    Http = 2,
    Https = 3,
}

impl<'a> Key<'a> {
    /// A key of any bytes. None equals that of an endpoint.
    pub(crate) fn of_bytes(bytes: &'a [u8]) -> Self {
        let kind = Kind::Bytes;
        Self { kind, bytes }
    }

    /// Looks something up by the key of a URI's endpoint, and its hash. User information, path and
    /// query play no part.
    #[inline]
    pub(crate) fn of_endpoint<R>(
        uri: &Uri,
        seed: &Seed,
        look_up: impl FnOnce(Key<'_>, u64) -> R,
    ) -> R {
        let kind = match uri.scheme_str() {
            Some("https") => Kind::Https,
            Some("http") => Kind::Http,
            _ => Kind::Other,
        };
        let authority = uri.authority().map_or("", |authority| authority.as_str());
        let bytes = authority.as_bytes();
        let (hash, has_user) = seed.hash_folded(kind, bytes);
        if !has_user && is_plain(kind, bytes) {
            return look_up(Key { kind, bytes }, hash);
        }
        let bytes = &*normalised(kind, uri);
        let (hash, _) = seed.hash_folded(kind, bytes);
        look_up(Key { kind, bytes }, hash)
    }

    /// Whether this is the key that was kept.
    #[inline]
    pub(crate) fn is(self, kept: &Kept) -> bool {
        let same = *self.bytes == *kept.bytes;
        let folded = || self.kind != Kind::Bytes && self.bytes.eq_ignore_ascii_case(&kept.bytes);
        self.kind == kept.kind && (same || folded())
    }

    /// The key to keep with an entry.
    pub(crate) fn keep(self) -> Kept {
        let bytes = match self.kind {
            Kind::Bytes => self.bytes.to_vec(),
            _ => self.bytes.to_ascii_lowercase(),
        };
        let (kind, bytes) = (self.kind, bytes.into());
        Kept { kind, bytes }
    }
}

/// A key that stands with its entry.
#[derive(Debug)]
pub(crate) struct Kept {
    kind: Kind,
    bytes: Box<[u8]>,
}

fn default_port(kind: Kind) -> u16 {
    match kind {
        Kind::Https => 443,
        Kind::Http => 80,
        Kind::Other | Kind::Bytes => 0,
    }
}

/// The authority in normal form, but for the case of its letters.
#[cold]
fn normalised(kind: Kind, uri: &Uri) -> Vec<u8> {
    let mut bytes = uri.host().unwrap_or_default().as_bytes().to_vec();
    if let Some(port) = uri.port_u16().filter(|port| *port != default_port(kind)) {
        bytes.extend_from_slice(format!(":{port}").as_bytes());
    }
    bytes
}

/// Whether an authority without user information ends as the normal form does: in its host, or in a
/// port other than the scheme's own that is written as numbers are.
#[inline]
fn is_plain(kind: Kind, authority: &[u8]) -> bool {
    let ends_in_host = |last: &u8| last.is_ascii_alphabetic() || *last == b']';
    authority.last().is_none_or(ends_in_host) || has_plain_port(kind, authority)
}

fn has_plain_port(kind: Kind, authority: &[u8]) -> bool {
    let digits = authority
        .iter()
        .rev()
        .take_while(|byte| byte.is_ascii_digit());
    let digits = digits.take(6).count();
    let (rest, port) = authority.split_at(authority.len() - digits);
    match rest.last() {
        Some(b':') => {
            let own: &[u8] = match kind {
                Kind::Https => b"443",
                Kind::Http => b"80",
                Kind::Other | Kind::Bytes => b"",
            };
            let is_number = port.first().is_some_and(|first| *first != b'0');
            is_number && port != own && (digits < 5 || (digits == 5 && *port <= b"65535"[..]))
        }
        // More digits than a port has, perhaps zeros before it; or a sign.
        Some(b'+') => false,
        _ => digits < 6,
    }
}

/// The secret of a table's hashes: who does not know it cannot make keys collide.
///
/// The hash is wyhash's folded multiplication over words of 8 bytes, whose letters are folded to one
/// case on the way. No hasher of a library does that without a copy of the key, and SipHash, which the
/// seeds are from, costs as much as all the rest of a look-up.
#[derive(Debug)]
pub(crate) struct Seed(u64, u64);

impl Seed {
    pub(crate) fn random() -> Self {
        let random = RandomState::new();
        Self(random.hash_one(0), random.hash_one(1))
    }

    pub(crate) fn hash_bytes(&self, bytes: &[u8]) -> u64 {
        self.hash(Kind::Bytes, bytes, 0).0
    }

    /// The hash of an authority whatever its case, and whether an `@` is in it.
    #[inline]
    fn hash_folded(&self, kind: Kind, authority: &[u8]) -> (u64, bool) {
        // Sets the bit in which the cases of a letter differ. Of all other bytes that an authority may
        // have, no two become the same.
        self.hash(kind, authority, ONES * 0x20)
    }

    #[inline]
    fn hash(&self, kind: Kind, bytes: &[u8], fold: u64) -> (u64, bool) {
        let mut hash = self.0 ^ (kind as u64);
        let mut ats = 0;
        let mut mix = |word: u64| {
            hash = folded_multiply(hash ^ (word | fold), self.1);
            ats |= zero_bytes(word ^ (ONES * u64::from(b'@')));
        };
        let (words, tail) = bytes.as_chunks();
        for word in words {
            mix(u64::from_le_bytes(*word));
        }
        match bytes.last_chunk() {
            _ if tail.is_empty() => {}
            Some(last) => mix(u64::from_le_bytes(*last)),
            None => {
                let word = |word, byte: &u8| word << 8 | u64::from(*byte);
                mix(tail.iter().fold(0, word));
            }
        }
        let length = bytes.len() as u64;
        (
            folded_multiply(hash ^ length, self.1.rotate_left(32)),
            ats != 0,
        )
    }
}

/// A one in each byte.
const ONES: u64 = u64::from_le_bytes([1; 8]);

/// Not zero when one of the bytes is.
#[inline]
const fn zero_bytes(word: u64) -> u64 {
    word.wrapping_sub(ONES) & !word & (ONES * 0x80)
}

#[inline]
fn folded_multiply(one: u64, other: u64) -> u64 {
    let product = u128::from(one) * u128::from(other);
    (product as u64) ^ ((product >> 64) as u64)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;
    use crate::Endpoint;

    fn kept(uri: &str, seed: &Seed) -> (Kept, u64) {
        let uri = uri.parse().unwrap();
        Key::of_endpoint(&uri, seed, |key, hash| (key.keep(), hash))
    }

    /// Whether two URIs are the same key; asserts that hashes agree with it.
    fn same(one: &str, other: &str) -> bool {
        let seed = Seed::random();
        let (other, other_hash) = kept(other, &seed);
        let one = one.parse().unwrap();
        Key::of_endpoint(&one, &seed, |key, hash| {
            assert_eq!(key.is(&other), hash == other_hash, "{key:?} {other:?}");
            assert!(key.is(&key.keep()));
            key.is(&other)
        })
    }

    #[test]
    fn a_uri_without_a_host_has_a_key_too() {
        assert!(same("/path", "*"));
        assert!(!same("/path", "http://a"));
        assert!(!same("a:80", "http://a"));
        assert!(!same("ftp://a", "http://a"));
    }

    #[test]
    fn the_usual_spellings_are_not_normalised_and_odd_ones_are() {
        let seed = Seed::random();
        for (uri, plain) in [
            ("http://upstream.example/x", true),
            ("https://UPSTREAM.example", true),
            ("http://10.0.0.1", true),
            ("http://10.0.0.1:8080", true),
            ("http://[::1]", true),
            ("http://[::1]:65535", true),
            ("https://a:80", true),
            ("http://a:80", false),
            ("https://a:443", false),
            ("http://a:", false),
            ("http://a:080", false),
            ("http://a:0000008080", false),
            ("http://u:p@a", false),
            ("http://a-long-user@a.example", false),
        ] {
            let uri: Uri = uri.parse().unwrap();
            let authority = uri.authority().unwrap().as_str().as_bytes();
            let is_it = |key: Key<'_>, _| key.bytes.as_ptr() == authority.as_ptr();
            assert_eq!(Key::of_endpoint(&uri, &seed, is_it), plain, "{uri}");
        }
    }

    #[test]
    fn similar_keys_spread_over_all_bits() {
        let seed = Seed::random();
        let hashes = (0..4_096).map(|n| kept(&format!("http://host-{n}.example"), &seed).1);
        let hashes: Vec<_> = hashes.collect();
        for bits in [0, 12, 24, 36, 52] {
            let seen: HashSet<_> = hashes.iter().map(|hash| hash >> bits & 0xfff).collect();
            // Of 4,096 cells, 4,096 throws meet 63 %.
            assert!(
                (2_400..2_800).contains(&seen.len()),
                "{} at {bits}",
                seen.len()
            );
        }
    }

    #[test]
    fn bytes_are_told_apart_by_case_and_from_endpoints() {
        let is = |one: &[u8], other: &[u8]| Key::of_bytes(one).is(&Key::of_bytes(other).keep());
        assert!(is(b"a", b"a") && !is(b"a", b"A"));
        let (endpoint, _) = kept("http://a", &Seed::random());
        assert!(!Key::of_bytes(b"a").is(&endpoint));
    }

    proptest! {
        #[test]
        fn two_keys_are_equal_as_their_endpoints_are(
            one in "(http|https|HTTP)://(u@|u:p@)?[aAb1]{1,2}(:80|:443|:8080|:080|:0|:65535|:99999|:)?/x?",
            other in "(http|https|HTTP)://(u@|u:p@)?[aAb1]{1,2}(:80|:443|:8080|:080|:0|:65535|:99999|:)?/x?",
            long in 0_usize..30,
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
