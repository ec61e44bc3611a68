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
    #[inline]
    pub(crate) fn new(body: B, ending: Ending<C>) -> Self {
        let body = Tracked::new(body, ending);
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
        Self::new(B::default(), Ending::untold())
    }
}

/// What a circuit has yet to learn from the end of a body.
#[derive(Debug)]
pub(crate) struct Ending<C>(Option<(Guard, C)>);

impl<C> Ending<C> {
    /// The call is not judged yet, or as a success that may turn out to be none.
    #[inline]
    pub(crate) fn of(guard: Option<Guard>, classify: &C) -> Self
    where
        C: Clone,
    {
        Self(guard.map(|guard| (guard, classify.clone())))
    }

    /// There is nothing to learn.
    #[inline]
    pub(crate) fn untold() -> Self {
        Self(None)
    }
}

impl<C: Classify> Settle for Ending<C> {
    #[inline]
    fn settle(self, end: End<'_>) {
        if let Some((mut guard, classify)) = self.0 {
            judge::end(&mut guard, &classify, end);
        }
    }

    /// An answer that has begun is a success until its end says otherwise: a stream that lasts for
    /// hours must not keep the circuit waiting.
    #[inline]
    fn data(&mut self) {
        if let Some((guard, _)) = &mut self.0
            && guard.is_out()
        {
            guard.finish(Verdict::Success, Instant::now());
        }
    }
}
