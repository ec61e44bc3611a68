use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use outrigger_core::call::Scope;
use pin_project_lite::pin_project;

pin_project! {
    /// The response future of [`IdempotencyKeyService`](crate::IdempotencyKeyService).
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<F> {
        #[pin]
        inner: F,
        // Held where the server honours the key, so that a stack with no layer of ours further out
        // keeps the word.
        scope: Option<Scope>,
    }
}

impl<F> ResponseFuture<F> {
    pub(crate) fn new(inner: F, scope: Option<Scope>) -> Self {
        Self { inner, scope }
    }
}

impl<F: Future> Future for ResponseFuture<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        match this.scope {
            Some(scope) => scope.run(|| this.inner.poll(cx)),
            None => this.inner.poll(cx),
        }
    }
}
