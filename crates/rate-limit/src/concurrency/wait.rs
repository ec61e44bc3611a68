use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::time::{Instant, Sleep, sleep_until};

use super::gate::Gate;
use super::permit::Permit;

/// A place in the line before a gate. Dropped, it is given up.
#[derive(Debug)]
pub(super) struct Wait {
    gate: Arc<Gate>,
    place: u64,
    latest: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Wait {
    /// Waits at this place until `latest`, or as long as it takes.
    pub(super) fn new(gate: Arc<Gate>, place: u64, latest: Option<Instant>) -> Self {
        Self {
            gate,
            place,
            latest,
            timer: None,
        }
    }

    /// Waits for a permit; `None` when that takes too long.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Permit>> {
        if self.gate.fetch(self.place, cx.waker()).is_ready() {
            return Poll::Ready(Some(Permit::new(Arc::clone(&self.gate))));
        }
        let Some(latest) = self.latest else {
            return Poll::Pending;
        };
        let timer = self
            .timer
            .get_or_insert_with(|| Box::pin(sleep_until(latest)));
        ready!(timer.as_mut().poll(cx));
        self.gate.leave(self.place, true);
        Poll::Ready(None)
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        self.gate.leave(self.place, false);
    }
}
