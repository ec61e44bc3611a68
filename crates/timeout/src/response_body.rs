use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http_body::{Body, Frame, SizeHint};
use outrigger_core::BoxError;
use pin_project_lite::pin_project;

use crate::clock::{Clock, Until};
use crate::limit::Limit;

pin_project! {
    /// A response body with a clock, or with none.
    ///
    /// The body is polled first, and a clock runs only while it is pending: a frame that is there is
    /// never lost, and a reader may take as long as it likes. Frames, trailers and hints pass through
    /// untouched. After an [`Elapsed`](crate::Elapsed) the body is at its end.
    #[derive(Debug)]
    pub struct ResponseBody<B> {
        #[pin]
        body: B,
        clock: Clock,
    }
}

impl<B> ResponseBody<B> {
    /// A body without a clock.
    #[inline]
    pub(crate) fn unwatched(body: B) -> Self {
        Self::idle(body, Limit::NONE)
    }

    /// A body that fails after a pause longer than `idle`.
    #[inline]
    pub(crate) fn idle(body: B, idle: Limit) -> Self {
        let clock = Clock::Idle(idle);
        Self { body, clock }
    }

    /// From now on the body must end in time.
    pub(crate) fn end_in_time(&mut self, until: Until) {
        self.clock = Clock::Until(Box::new(until));
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
        if let Clock::Elapsed = this.clock {
            return Poll::Ready(None);
        }
        if let Poll::Ready(frame) = this.body.poll_frame(cx) {
            this.clock.stop();
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        let elapsed = ready!(this.clock.poll(cx));
        Poll::Ready(Some(Err(elapsed.into())))
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.clock, Clock::Elapsed) || self.body.is_end_stream()
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
