use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::Response;
use http::header::{Entry, HeaderName};
use outrigger_core::RequestId;
use outrigger_core::inbound::{self, Inbound};
use pin_project_lite::pin_project;

pin_project! {
    /// The response future of [`InboundService`](crate::InboundService): the handler, within the
    /// inbound request.
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct InboundFuture<F> {
        #[pin]
        inner: F,
        scope: Option<Inbound>,
        echo: Option<HeaderName>,
    }
}

impl<F> InboundFuture<F> {
    pub(super) fn within(inner: F, scope: Inbound, echo: Option<HeaderName>) -> Self {
        Self {
            inner,
            scope: Some(scope),
            echo,
        }
    }

    pub(super) fn outside(inner: F) -> Self {
        Self {
            inner,
            scope: None,
            echo: None,
        }
    }
}

impl<F, R, E> Future for InboundFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
{
    type Output = F::Output;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let Some(scope) = this.scope else {
            return this.inner.poll(cx);
        };
        let mut poll = inbound::enter(scope, || this.inner.poll(cx));
        if let Poll::Ready(Ok(response)) = &mut poll
            && let Some(header) = this.echo.take()
            && let Some(id) = &scope.request_id
        {
            echo(response, &header, id);
        }
        poll
    }
}

/// Puts the id on the response, unless the handler has put something there.
fn echo<R>(response: &mut Response<R>, header: &HeaderName, id: &RequestId) {
    if let Ok(Entry::Vacant(entry)) = response.headers_mut().try_entry(header) {
        // A response without room for one more field goes without.
        let _ = entry.try_insert(id.as_header().clone());
    }
}
