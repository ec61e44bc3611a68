use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::Response;
use outrigger_core::RequestId;
use pin_project_lite::pin_project;

pin_project! {
    /// The response future of [`RequestIdService`](crate::RequestIdService).
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct RequestIdFuture<F> {
        #[pin]
        inner: F,
        told: Option<RequestId>,
    }
}

impl<F> RequestIdFuture<F> {
    pub(crate) fn new(inner: F, told: Option<RequestId>) -> Self {
        Self { inner, told }
    }
}

impl<F, R, E> Future for RequestIdFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
{
    type Output = F::Output;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let mut poll = this.inner.poll(cx);
        if let Poll::Ready(Ok(response)) = &mut poll
            && let Some(id) = this.told.take()
        {
            response.extensions_mut().insert(id);
        }
        poll
    }
}
