use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// How many requests an upstream takes in a second, and at once after a rest. Our client is told a
/// little less: what it spaces out comes a little closer together.
pub(super) const PER_SECOND: u32 = 120;
pub(super) const AT_ONCE: u32 = 30;

/// An upstream's count of what it still takes, written as plainly as can be.
#[derive(Clone, Debug)]
pub(super) struct Quota(Arc<Mutex<(Duration, Instant)>>);

/// The time that earns one request.
const EACH: Duration = Duration::from_nanos(1_000_000_000 / PER_SECOND as u64);

impl Quota {
    /// Nothing of it is used.
    pub(super) fn new() -> Self {
        Self(Arc::new(Mutex::new((EACH * AT_ONCE, Instant::now()))))
    }

    /// Whether one more request is taken.
    pub(super) fn takes(&self) -> bool {
        let mut count = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (saved, last) = *count;
        let now = Instant::now();
        let saved = (saved + (now - last)).min(EACH * AT_ONCE);
        let left = saved.checked_sub(EACH);
        *count = (left.unwrap_or(saved), now);
        left.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_takes_so_many_at_once_and_then_so_many_a_second() {
        let quota = Quota::new();
        let taken = || (0..1_000).filter(|_| quota.takes()).count();
        assert_eq!((taken(), taken()), (30, 0));
        tokio::time::advance(Duration::from_millis(100)).await;
        assert_eq!(taken(), 12);
        tokio::time::advance(Duration::from_secs(9)).await;
        assert_eq!(taken(), 30);
    }
}
