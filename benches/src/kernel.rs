//! Kernels that are told the time.

use std::num::NonZeroU32;

use crate::Quota;
use crate::bucket::Bucket;

/// The token bucket of the rate limit.
#[derive(Debug)]
pub struct TokenBucket(Bucket);

impl TokenBucket {
    /// A full bucket of so many tokens, which so many a second refill.
    pub fn full(per_second: NonZeroU32, burst: NonZeroU32) -> Self {
        Self(Bucket::full(Quota::per_second(per_second).burst(burst)))
    }

    /// Takes a token, if there is one.
    #[inline]
    pub fn take(&self, now: u64) -> bool {
        self.0.take(now, 1).is_ok()
    }

    /// Whether there is a token.
    #[inline]
    pub fn is_free(&self, now: u64) -> bool {
        self.0.slot(now, 1) <= now
    }
}
