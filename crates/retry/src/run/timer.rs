use std::pin::Pin;
use std::task::{Context, Poll};

use outrigger_core::call;
use tokio::task::coop::unconstrained;
use tokio::time::{Instant, Sleep, sleep_until};

/// One timer, made when it is first waited for and moved from then on.
#[derive(Debug, Default)]
pub(super) struct Timer(Option<Pin<Box<Sleep>>>);

impl Timer {
    /// Waits until `at`, and says in the Call that this task will wake then.
    pub(super) fn poll(&mut self, at: Instant, cx: &mut Context<'_>) -> Poll<()> {
        let sleep = self.0.get_or_insert_with(|| Box::pin(sleep_until(at)));
        if sleep.deadline() != at {
            sleep.as_mut().reset(at);
        }
        // An inner service that burns the task's budget must not keep the timer from firing.
        let polled = Pin::new(&mut unconstrained(sleep.as_mut())).poll(cx);
        if polled.is_pending() {
            call::update(|call| call.set_timer(Some(at)));
        }
        polled
    }
}
