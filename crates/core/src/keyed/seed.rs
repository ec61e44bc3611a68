use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;

use super::key::Key;

/// The secret of a table's hashes: who does not know it cannot choose keys that collide.
///
/// The two ends of a key are hashed by NH (RFC 4418 §5.2.2, with words of 64 bits): whatever they are, of
/// all secrets one in 2^64 gives two of them the same 128 bits. That much is proven. What is between is
/// chained into those, and all is folded to 64 bits, by more such products: as in wyhash, of which no attack
/// is known that sees no hash, and none is shown. If keys did collide, a look-up would compare at most those
/// of one shard.
///
/// SipHash, which the secrets are from, costs as much as all the rest of a look-up.
#[derive(Debug)]
pub(super) struct Seed {
    first: Secret,
    last: Secret,
    middle: Secret,
    end: Secret,
}

type Secret = [u64; 2];

impl Seed {
    pub(super) fn random() -> Self {
        let random = RandomState::new();
        let secret = |n: u64| [random.hash_one(2 * n), random.hash_one(2 * n + 1)];
        Self {
            first: secret(0),
            last: secret(1),
            middle: secret(2),
            end: secret(3),
        }
    }

    #[inline]
    pub(super) fn hash(&self, key: Key<'_>) -> u64 {
        let [first, last] = key.ends;
        let ends = product(first, self.first).wrapping_add(product(last, self.last));
        let all = key
            .middle()
            .fold(ends, |hash, word| product(hash ^ word, self.middle));
        let [low, high] = halves(product(all ^ u128::from(key.shape), self.end));
        low ^ high
    }
}

#[inline]
fn product(word: u128, [a, b]: Secret) -> u128 {
    let [low, high] = halves(word);
    u128::from(low.wrapping_add(a)) * u128::from(high.wrapping_add(b))
}

#[inline]
fn halves(word: u128) -> [u64; 2] {
    [word as u64, (word >> 64) as u64]
}
