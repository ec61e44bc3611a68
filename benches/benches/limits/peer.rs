//! The same quota for both, and governor told the time.

use std::cell::Cell;
use std::num::NonZeroU32;

use governor::RateLimiter;
use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::{InMemoryState, NotKeyed};

pub const PER_SECOND: NonZeroU32 = NonZeroU32::new(10_000).unwrap();
/// More than a measurement takes: nobody is refused, however far one thread is ahead of another.
pub const BURST: NonZeroU32 = NonZeroU32::new(1_000_000_000).unwrap();

thread_local! {
    static NOW: Cell<u64> = const { Cell::new(0) };
}

/// A clock that shows each thread what it was told.
#[derive(Clone, Copy, Debug)]
pub struct Told;

impl Clock for Told {
    type Instant = Nanos;

    #[inline]
    fn now(&self) -> Nanos {
        Nanos::new(NOW.get())
    }
}

/// governor's direct limiter.
#[derive(Debug)]
pub struct Governor(RateLimiter<NotKeyed, InMemoryState, Told, NoOpMiddleware<Nanos>>);

impl Governor {
    pub fn new() -> Self {
        // It counts from when it was made.
        NOW.set(0);
        let quota = governor::Quota::per_second(PER_SECOND).allow_burst(BURST);
        Self(RateLimiter::direct_with_clock(quota, Told))
    }

    #[inline]
    pub fn take(&self, now: u64) -> bool {
        NOW.set(now);
        self.0.check().is_ok()
    }
}
