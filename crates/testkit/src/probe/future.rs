use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use pin_project_lite::pin_project;

use super::{flight::Flight, state::Shared};
use crate::BoxError;

pin_project! {
    /// The inner response future, watched by its [`ContractProbe`](super::ContractProbe).
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<F> {
        #[pin]
        inner: F,
        flight: Flight,
        shared: Arc<Shared>,
    }
}

impl<F> ResponseFuture<F> {
    pub(super) fn new(inner: F, flight: Flight, shared: Arc<Shared>) -> Self {
        Self {
            inner,
            flight,
            shared,
        }
    }
}

impl<F, Res, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Res, E>>,
    E: Into<BoxError>,
{
    type Output = Result<Res, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if this.flight.is_over() {
            this.shared
                .violated("a response future was polled after it had answered");
        }
        let outcome = ready!(this.inner.poll(cx));
        this.flight.finish();
        Poll::Ready(outcome.map_err(Into::into))
    }
}
