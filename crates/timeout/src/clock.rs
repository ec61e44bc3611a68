use std::pin::Pin;
use std::task::{Context, Poll, ready};

use outrigger_core::{Elapsed, Phase};
use pin_project_lite::pin_project;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::limit::Limit;
use crate::timer::{self, Timer};

/// What watches a response body. Few bodies get beyond the first of these, and all are as large as the
/// largest: the others are in boxes.
#[derive(Debug)]
pub(crate) enum Clock {
    /// It may pause so long, and has not paused yet.
    Idle(Limit),
    /// It may pause so long, and has paused before.
    Pause(Pin<Box<Pause>>),
    /// It must end in time.
    Until(Box<Until>),
    /// It took too long.
    Elapsed,
}

pin_project! {
    #[derive(Debug)]
    pub(crate) struct Pause {
        limit: Limit,
        // When this pause has taken too long; none between two pauses.
        end: Option<Instant>,
        #[pin]
        sleep: Sleep,
    }
}

/// An instant, and the error that is due then.
#[derive(Debug)]
pub(crate) struct Until {
    pub(crate) end: Instant,
    pub(crate) elapsed: Elapsed,
    /// The one that watched the head.
    pub(crate) timer: Timer,
}

impl Clock {
    /// The body goes on: a pause is over.
    pub(crate) fn stop(&mut self) {
        if let Self::Pause(pause) = self {
            *pause.as_mut().project().end = None;
        }
    }

    /// The body pauses: waits until it takes too long.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Elapsed> {
        if let Self::Idle(limit) = *self
            && let Some(end) = limit.after(Instant::now())
        {
            *self = Self::Pause(Box::pin(Pause {
                limit,
                end: Some(end),
                sleep: sleep_until(end),
            }));
        }
        let elapsed = match self {
            Self::Idle(_) | Self::Elapsed => return Poll::Pending,
            Self::Pause(pause) => ready!(pause.as_mut().poll(cx)),
            Self::Until(until) => {
                ready!(until.timer.poll(until.end, cx));
                until.elapsed
            }
        };
        *self = Self::Elapsed;
        Poll::Ready(elapsed)
    }
}

impl Pause {
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Elapsed> {
        let this = self.project();
        if this.end.is_none() {
            *this.end = this.limit.after(Instant::now());
        }
        let Some(end) = *this.end else {
            return Poll::Pending;
        };
        timer::poll(this.sleep, end, cx)
            .map(|()| Elapsed::new(Phase::BodyIdle, this.limit.duration()))
    }
}
