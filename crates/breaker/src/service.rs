use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use http_body::Body;
use outrigger_core::call::Scope;
use outrigger_core::{BoxError, Classify};
use tokio::time::Instant;
use tower_service::Service;

use crate::circuits::Circuits;
use crate::future::State;
use crate::guard::Guard;
use crate::key::Key;
use crate::{ResponseBody, ResponseFuture};

/// The service of [`BreakerLayer`](crate::BreakerLayer).
#[derive(Clone, Debug)]
pub struct BreakerService<S, K, C> {
    inner: S,
    circuits: Option<Arc<Circuits>>,
    key: K,
    classify: C,
}

impl<S, K, C> BreakerService<S, K, C> {
    pub(crate) fn new(inner: S, circuits: Option<Arc<Circuits>>, key: K, classify: C) -> Self {
        Self {
            inner,
            circuits,
            key,
            classify,
        }
    }
}

impl<S, K, C, B, R> Service<Request<B>> for BreakerService<S, K, C>
where
    S: Service<Request<B>, Response = Response<R>> + Clone,
    S::Error: Into<BoxError>,
    K: Key<B>,
    C: Classify + Clone,
    R: Body,
{
    type Response = Response<ResponseBody<R, C>>;
    type Error = BoxError;
    type Future = ResponseFuture<S, S::Future, B, C>;

    /// Always ready: the wait for the inner service is part of the call. Switched off, the inner
    /// service's own readiness.
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        match self.circuits {
            Some(_) => Poll::Ready(Ok(())),
            None => self.inner.poll_ready(cx).map_err(Into::into),
        }
    }

    #[inline(always)] // switched off it costs next to nothing
    fn call(&mut self, request: Request<B>) -> Self::Future {
        match self.circuits {
            Some(_) => self.call_watched(request),
            None => ResponseFuture::off(self.inner.call(request), self.classify.clone()),
        }
    }
}

impl<S, K, C> BreakerService<S, K, C> {
    #[inline]
    fn call_watched<B, R>(&mut self, request: Request<B>) -> ResponseFuture<S, S::Future, B, C>
    where
        S: Service<Request<B>, Response = Response<R>> + Clone,
        S::Error: Into<BoxError>,
        K: Key<B>,
        C: Classify + Clone,
    {
        let classify = self.classify.clone();
        let Some(circuits) = &self.circuits else {
            return ResponseFuture::off(self.inner.call(request), classify);
        };
        let now = Instant::now();
        let entry = match self.key.of(&request) {
            None => circuits.at(request.uri(), now),
            Some(key) => circuits.of(key.as_ref(), now),
        };
        let mut guard = Guard::new(entry, now);
        // An open circuit refuses at once, be the inner service ready or never.
        if let Err(open) = guard.check(now) {
            return ResponseFuture::refused(open, classify);
        }
        let scope = Scope::open();
        let state = State::admit(&mut self.inner, request, &mut guard, &classify, now);
        ResponseFuture::watched(state, guard, scope.close(), classify)
    }
}
