use std::sync::Arc;
use std::task::{Context, Poll};

use http::Request;
use outrigger_core::call::{self, Call, Scope};
use tower_service::Service;

use crate::future::ResponseFuture;
use crate::keys::Keys;

/// The service of [`IdempotencyKeyLayer`](crate::IdempotencyKeyLayer).
#[derive(Clone, Debug)]
pub struct IdempotencyKeyService<S> {
    inner: S,
    keys: Option<Arc<Keys>>,
}

impl<S> IdempotencyKeyService<S> {
    pub(crate) fn new(inner: S, keys: Option<Arc<Keys>>) -> Self {
        Self { inner, keys }
    }

    /// Makes a call with a key, and tells the layers below when the server is known to honour it.
    fn call_keyed<B>(&mut self, mut request: Request<B>) -> ResponseFuture<S::Future>
    where
        S: Service<Request<B>>,
    {
        if !self
            .keys
            .as_ref()
            .is_some_and(|keys| keys.settle(&mut request))
        {
            return ResponseFuture::new(self.inner.call(request), None);
        }
        let mut scope = Scope::join();
        let inner = scope.run(|| {
            call::update(Call::honour_key);
            self.inner.call(request)
        });
        ResponseFuture::new(inner, Some(scope))
    }
}

impl<S, B> Service<Request<B>> for IdempotencyKeyService<S>
where
    S: Service<Request<B>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        match &self.keys {
            Some(keys) if keys.concern(&request) => self.call_keyed(request),
            _ => ResponseFuture::new(self.inner.call(request), None),
        }
    }
}
