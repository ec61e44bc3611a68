use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http_body::{Body, Frame, SizeHint};
use outrigger_core::{BoxError, Elapsed, Phase};
use pin_project_lite::pin_project;
use tokio::time::Instant;

use crate::limit::Limit;
use crate::timer::Timer;

pin_project! {
    /// A response body with a clock, or with none.
    ///
    /// The body is polled first, and a clock runs only while it is pending: a frame that is there is
    /// never lost, and a reader may take as long as it likes. Frames, trailers and hints pass through
    /// untouched. After an [`Elapsed`] the body is at its end.
    #[derive(Debug)]
    pub struct ResponseBody<B> {
        #[pin]
        body: B,
        total: Option<Elapsing>,
        idle: Limit,
        idle_end: Option<Instant>,
        timer: Timer,
        elapsed: bool,
    }
}

/// An instant, and the error that is due then.
pub(crate) type Elapsing = (Instant, Elapsed);

impl<B> ResponseBody<B> {
    /// A body without a clock.
    pub(crate) fn unwatched(body: B) -> Self {
        Self::idle(body, Limit::NONE)
    }

    /// A body that fails after a pause longer than `idle`.
    pub(crate) fn idle(body: B, idle: Limit) -> Self {
        Self {
            body,
            total: None,
            idle,
            idle_end: None,
            timer: Timer::default(),
            elapsed: false,
        }
    }

    /// A body that must end in time; `timer` is the one that watched the head.
    pub(crate) fn until(body: B, total: Elapsing, timer: Timer) -> Self {
        Self {
            total: Some(total),
            timer,
            ..Self::unwatched(body)
        }
    }
}

impl<B> Body for ResponseBody<B>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    type Data = B::Data;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, BoxError>>> {
        let this = self.project();
        if *this.elapsed {
            return Poll::Ready(None);
        }
        if let Poll::Ready(frame) = this.body.poll_frame(cx) {
            *this.idle_end = None;
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        if this.idle_end.is_none() && !this.idle.is_none() {
            *this.idle_end = this.idle.after(Instant::now());
        }
        let pause = this
            .idle_end
            .map(|end| (end, Elapsed::new(Phase::BodyIdle, this.idle.duration())));
        let first = [*this.total, pause]
            .into_iter()
            .flatten()
            .min_by_key(|(at, _)| *at);
        let Some((at, error)) = first else {
            return Poll::Pending;
        };
        ready!(this.timer.poll(at, cx));
        *this.elapsed = true;
        Poll::Ready(Some(Err(error.into())))
    }

    fn is_end_stream(&self) -> bool {
        self.elapsed || self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl<B: Default> Default for ResponseBody<B> {
    /// The default body, without a clock.
    fn default() -> Self {
        Self::unwatched(B::default())
    }
}
