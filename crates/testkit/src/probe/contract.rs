use std::sync::Arc;

use tower_layer::Layer;

use super::{Answer, Counts, Probed, state::Shared};
use crate::BoxError;

/// Watches the services it is put under, and can hold their readiness back.
///
/// Clones watch together: put the probe under a layer, keep a clone, ask it at the end. The service
/// it makes has [`BoxError`] as its error, whatever the inner one has.
#[derive(Clone, Debug, Default)]
pub struct ContractProbe {
    shared: Arc<Shared>,
}

impl ContractProbe {
    /// Makes a probe that has seen nothing yet and lets all readiness through.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets a service be polled for readiness after it has failed, which tower forbids.
    ///
    /// Calling it stays a violation until it was ready again.
    #[must_use]
    pub fn tolerate_polls_after_error(self) -> Self {
        self.shared.lock().tolerates_polls_after_error = true;
        self
    }

    /// Makes a watched service that is ready at once and answers with a closure.
    pub fn answer<F, Fut, Req, Res>(&self, answer: F) -> Probed<Answer<F>>
    where
        F: FnMut(Req) -> Fut,
        Fut: Future<Output = Result<Res, BoxError>>,
    {
        self.layer(Answer::new(answer))
    }

    /// Makes every service unready until [`release`](Self::release); one that is ready stays so.
    pub fn hold(&self) {
        self.shared.lock().held = true;
    }

    /// Ends [`hold`](Self::hold) and wakes, of each instance, the waker that asked last.
    pub fn release(&self) {
        self.shared.lock().held = false;
        self.shared.wake_all();
    }

    /// Makes the next `polls` of readiness pending; each of them wakes its task at once.
    pub fn pend(&self, polls: usize) {
        self.shared.lock().pending = polls;
    }

    /// Makes the next poll of readiness return this error.
    pub fn fail_readiness(&self, error: impl Into<BoxError>) {
        self.shared.lock().error = Some(error.into());
    }

    /// Returns what was counted so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.shared.lock().counts
    }

    /// Fails the test if the contract was broken, also where the panic was swallowed by a task.
    ///
    /// # Panics
    ///
    /// When it was.
    #[track_caller]
    pub fn assert_clean(&self) {
        let violations = self.shared.lock().violations.clone();
        assert!(violations.is_empty(), "tower contract: {violations:?}");
    }

    /// Fails the test if a response future is still under way or readiness is still held.
    ///
    /// # Panics
    ///
    /// When one is.
    #[track_caller]
    pub fn assert_idle(&self) {
        let counts = self.counts();
        assert!(
            counts.in_flight == 0 && counts.reserved == 0,
            "not idle: {counts:?}"
        );
    }
}

impl<S> Layer<S> for ContractProbe {
    type Service = Probed<S>;

    fn layer(&self, inner: S) -> Probed<S> {
        Probed::new(inner, Arc::clone(&self.shared))
    }
}
