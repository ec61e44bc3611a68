use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use outrigger_core::call;
use tokio::task::coop::unconstrained;
use tokio::time::{Instant, Sleep, sleep_until};

/// One timer, made when it is first polled and moved from then on.
#[derive(Default)]
pub(crate) struct Timer(Option<Pin<Box<Sleep>>>);

impl Timer {
    /// Waits until `at`, which may change from poll to poll.
    ///
    /// Polled without regard to the task's budget: an inner service that burns it to the end must not
    /// keep the timer from firing.
    pub(crate) fn poll(&mut self, at: Instant, cx: &mut Context<'_>) -> Poll<()> {
        let sleep = self.0.get_or_insert_with(|| Box::pin(sleep_until(at)));
        if sleep.deadline() != at {
            sleep.as_mut().reset(at);
        }
        Pin::new(&mut unconstrained(sleep.as_mut())).poll(cx)
    }
}

impl fmt::Debug for Timer {
    /// The instant for which it is armed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.0.as_ref().map(|sleep| sleep.deadline());
        f.debug_tuple("Timer").field(&at).finish()
    }
}

impl Drop for Timer {
    /// Takes back what the Call says of this timer, should it say so: a layer above that dropped this
    /// future and waits for something else must not be taken for one with a timer below it.
    fn drop(&mut self) {
        if self.0.is_some() {
            call::update(|call| call.set_timer(None));
        }
    }
}
