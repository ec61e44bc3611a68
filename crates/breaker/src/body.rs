use std::pin::Pin;
use std::task::{Context, Poll};

use http_body::{Body, Frame, SizeHint};
use outrigger_core::{Classify, End, Settle, Tracked};
use pin_project_lite::pin_project;

use crate::judge;
use crate::ticket::Ticket;

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
    /// A body of whose end the circuit, where there is a ticket, has yet to learn.
    #[inline]
    pub(crate) fn watched(body: B, ticket: Option<Ticket>, classify: &C) -> Self
    where
        C: Clone,
    {
        let body = match ticket {
            Some(ticket) => Tracked::new(
                body,
                Ending {
                    ticket,
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
    ticket: Ticket,
    classify: C,
}

impl<C: Classify> Settle for Ending<C> {
    fn settle(mut self, end: End<'_>) {
        judge::ended(&mut self.ticket, &self.classify, end);
    }

    #[inline]
    fn data(&mut self) {
        judge::begun(&mut self.ticket);
    }
}
