use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    task::{Poll, Waker},
};

use super::Counts;
use crate::BoxError;

/// What all services and futures of one probe share.
#[derive(Debug, Default)]
pub(super) struct Shared {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) counts: Counts,
    pub(super) violations: Vec<&'static str>,
    pub(super) tolerates_polls_after_error: bool,
    pub(super) held: bool,
    pub(super) pending: usize,
    pub(super) error: Option<BoxError>,
    next_instance: u64,
    /// Who waits for readiness: of each living instance the waker of its last poll.
    waiting: HashMap<u64, Waker>,
}

impl Shared {
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes the violation down, then fails the test.
    #[expect(clippy::panic, reason = "failing the test is its purpose")]
    pub(super) fn violated(&self, violation: &'static str) -> ! {
        self.lock().violations.push(violation);
        panic!("tower contract: {violation}");
    }

    /// Lets everyone ask again who was told to wait.
    pub(super) fn wake_all(&self) {
        let waiting = std::mem::take(&mut self.lock().waiting);
        waiting.into_values().for_each(Waker::wake);
    }

    /// Does what the test ordered for this poll; `Ready(Ok)` leaves the word to the inner service.
    pub(super) fn ordered(&self, instance: u64, waker: &Waker) -> Poll<Result<(), BoxError>> {
        let mut state = self.lock();
        if let Some(error) = state.error.take() {
            return Poll::Ready(Err(error));
        }
        if state.held {
            let outdated = state.waiting.insert(instance, waker.clone());
            // Dropping a waker may drop a task, and with it services of ours: not under the lock.
            drop(state);
            drop(outdated);
            return Poll::Pending;
        }
        if state.pending > 0 {
            state.pending -= 1;
            drop(state);
            waker.wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(Ok(()))
    }

    pub(super) fn tolerates_polls_after_error(&self) -> bool {
        self.lock().tolerates_polls_after_error
    }

    pub(super) fn new_instance(&self) -> u64 {
        let mut state = self.lock();
        state.next_instance += 1;
        state.next_instance
    }

    pub(super) fn forget(&self, instance: u64) {
        let outdated = self.lock().waiting.remove(&instance);
        drop(outdated);
    }
}
