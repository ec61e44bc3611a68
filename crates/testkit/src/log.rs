use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{sync::Notify, time::timeout};

/// A shared, append-only record of what a server, a mock or a script saw.
///
/// Clones read the same record. It holds at most [`Log::MAX_ENTRIES`] entries; a server that would
/// write one more fails its connection with a sentence that says so, because a log that forgets
/// would let a test pass that should not.
pub struct Log<T> {
    shared: Arc<Shared<T>>,
}

struct Shared<T> {
    entries: Mutex<Vec<T>>,
    changed: Notify,
}

impl<T> Log<T> {
    /// The most entries one log holds.
    pub const MAX_ENTRIES: usize = 1 << 20;

    /// How long [`wait_until`](Self::wait_until) waits before it fails the test.
    pub const PATIENCE: Duration = Duration::from_secs(10);

    pub(crate) fn new() -> Self {
        Self {
            shared: Arc::new(Shared {
                entries: Mutex::default(),
                changed: Notify::new(),
            }),
        }
    }

    /// Returns how many entries were written.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    /// Says whether nothing was written yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    /// Forgets all entries, so that a test can look at its next step alone.
    pub fn clear(&self) {
        self.lock().clear();
    }

    /// Waits until `enough` holds for this log; asks again after each new entry.
    ///
    /// This is how a test waits for the far side without sleeping and hoping.
    ///
    /// # Panics
    ///
    /// Fails the test when [`PATIENCE`](Self::PATIENCE) passes first.
    #[expect(clippy::panic, reason = "failing the test is its purpose")]
    pub async fn wait_until(&self, mut enough: impl FnMut(&Self) -> bool)
    where
        T: fmt::Debug,
    {
        let waiting = async {
            loop {
                // Registered before the look, so that an entry written in between still wakes us.
                let changed = self.shared.changed.notified();
                tokio::pin!(changed);
                changed.as_mut().enable();
                if enough(self) {
                    return;
                }
                changed.await;
            }
        };
        if timeout(Self::PATIENCE, waiting).await.is_err() {
            panic!("the log never held what was waited for: {:#?}", self.lock());
        }
    }

    pub(crate) fn push(&self, entry: T) -> Result<(), Full> {
        let mut entries = self.lock();
        if entries.len() >= Self::MAX_ENTRIES {
            return Err(Full);
        }
        entries.push(entry);
        drop(entries);
        self.shared.changed.notify_waiters();
        Ok(())
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Vec<T>> {
        self.shared
            .entries
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Clone> Log<T> {
    /// Returns a copy of all entries, oldest first.
    #[must_use]
    pub fn entries(&self) -> Vec<T> {
        self.lock().clone()
    }
}

impl<T> Clone for Log<T> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for Log<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.lock().iter()).finish()
    }
}

/// The log holds [`Log::MAX_ENTRIES`] entries and takes no more.
#[derive(Debug)]
pub(crate) struct Full;

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the test server's log is full")
    }
}

impl std::error::Error for Full {}
