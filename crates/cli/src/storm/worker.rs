use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// One worker that takes requests in the order in which they come, each for the same time, whether or
/// not anybody waits for the answer any more. Clones are the same one.
#[derive(Clone, Debug)]
pub(super) struct Worker {
    each: Duration,
    free_at: Arc<Mutex<Instant>>,
}

impl Worker {
    /// A worker that is free, and takes so long for each request.
    pub(super) fn new(each: Duration) -> Self {
        Self {
            each,
            free_at: Arc::new(Mutex::new(Instant::now())),
        }
    }

    /// Takes a request on, and says how long it is until that is done.
    pub(super) fn take(&self) -> Duration {
        self.occupy(self.each)
    }

    /// Does nothing for so long, once it has done what it was asked so far.
    pub(super) fn stall(&self, pause: Duration) {
        self.occupy(pause);
    }

    fn occupy(&self, time: Duration) -> Duration {
        let now = Instant::now();
        let mut free_at = self.lock();
        *free_at = now.max(*free_at) + time;
        *free_at - now
    }

    fn lock(&self) -> MutexGuard<'_, Instant> {
        self.free_at.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_comes_later_waits_for_all_before_it() {
        let millis = Duration::from_millis;
        let worker = Worker::new(millis(5));
        assert_eq!([(); 3].map(|()| worker.take()), [5, 10, 15].map(millis));
        tokio::time::advance(millis(12)).await;
        worker.stall(millis(100));
        assert_eq!(worker.take(), millis(3 + 100 + 5));
        tokio::time::advance(millis(1_000)).await;
        assert_eq!(worker.take(), millis(5));
    }
}
