use std::pin::Pin;
use std::task::{Context, Poll};

use http_body::{Body, Frame, SizeHint};
use outrigger_core::{Classify, End, Settle, Tracked, Verdict};
use pin_project_lite::pin_project;
use tokio::time::Instant;

use crate::guard::Guard;
use crate::judge;

pin_project! {
    /// The response body of [`BreakerService`](crate::BreakerService): how it ends is told to the
    /// circuit.
    #[derive(Debug)]
    pub struct ResponseBody<B, C: Classify> {
        #[pin]
        body: Tracked<B, Ending<C>>,
    }
}

impl<B: Body, C: Classify> ResponseBody<B, C> {
    /// A body that the guard, where there is one, has yet to learn of.
    #[inline]
    pub(crate) fn watched(body: B, guard: Option<Guard>, classify: &C) -> Self
    where
        C: Clone,
    {
        let body = match guard {
            Some(guard) => Tracked::new(
                body,
                Ending {
                    guard,
                    classify: classify.clone(),
                },
            ),
            None => Tracked::settled(body),
        };
        Self { body }
    }

    /// There is nothing to learn from how it ends.
    #[inline]
    pub(crate) fn unwatched(body: B) -> Self {
        let body = Tracked::settled(body);
        Self { body }
    }
}

impl<B: Body, C: Classify> Body for ResponseBody<B, C> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        self.project().body.poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl<B: Body + Default, C: Classify> Default for ResponseBody<B, C> {
    fn default() -> Self {
        Self::unwatched(B::default())
    }
}

/// What a circuit has yet to learn from the end of a body.
#[derive(Debug)]
struct Ending<C> {
    guard: Guard,
    classify: C,
}

impl<C: Classify> Settle for Ending<C> {
    fn settle(mut self, end: End<'_>) {
        judge::end(&mut self.guard, &self.classify, end);
    }

    /// An answer that has begun is a success until its end says otherwise: a stream that lasts for
    /// hours must not keep the circuit waiting.
    #[inline]
    fn data(&mut self) {
        if self.guard.is_out() {
            self.guard.finish(Verdict::Success, Instant::now());
        }
    }
}
