use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use outrigger_core::call;
use pin_project_lite::pin_project;
use tokio::task::coop::unconstrained;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::rare::Rare;

/// One timer, made when it is first polled and moved from then on.
pub(crate) struct Timer(Rare<Pin<Box<Armed>>>);

impl Timer {
    /// Not made yet.
    pub(crate) const NONE: Self = Self(Rare::NONE);

    /// Waits until `at`, which may change from poll to poll.
    pub(crate) fn poll(&mut self, at: Instant, cx: &mut Context<'_>) -> Poll<()> {
        let armed = self.0.get_or_insert_with(|| {
            Box::pin(Armed {
                sleep: sleep_until(at),
            })
        });
        poll(armed.as_mut().project().sleep, at, cx)
    }
}

/// Waits until `at`.
///
/// Polled without regard to the task's budget: an inner service that burns it to the end must not keep
/// the timer from firing.
pub(crate) fn poll(mut sleep: Pin<&mut Sleep>, at: Instant, cx: &mut Context<'_>) -> Poll<()> {
    if sleep.deadline() != at {
        sleep.as_mut().reset(at);
    }
    Pin::new(&mut unconstrained(sleep)).poll(cx)
}

impl fmt::Debug for Timer {
    /// The instant for which it is armed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.0.get().map(|armed| armed.sleep.deadline());
        f.debug_tuple("Timer").field(&at).finish()
    }
}

pin_project! {
    struct Armed {
        #[pin]
        sleep: Sleep,
    }

    impl PinnedDrop for Armed {
        // Takes back what the Call says of this timer, should it say so: a layer above that dropped
        // this future and waits for something else must not be taken for one with a timer below it.
        fn drop(_this: Pin<&mut Self>) {
            call::update(|call| call.set_timer(None));
        }
    }
}
