use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Request, Response};
use http_body::Body;
use outrigger_core::{BoxError, Exponential};
use tower_service::Service;

use crate::future::RetryFuture;
use crate::policy::Policy;
use crate::run::Plan;
use crate::{ReplayBody, RetryBody};

/// The service of [`RetryLayer`](crate::RetryLayer).
#[derive(Debug)]
pub struct RetryService<S, P = Exponential> {
    inner: S,
    /// `None` when the layer is switched off.
    policy: Option<Arc<Policy<P>>>,
}

impl<S, P> RetryService<S, P> {
    pub(crate) fn new(inner: S, policy: Option<Arc<Policy<P>>>) -> Self {
        Self { inner, policy }
    }
}

impl<S: Clone, P> Clone for RetryService<S, P> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            policy: self.policy.clone(),
        }
    }
}

impl<S, B, R, P> Service<Request<B>> for RetryService<S, P>
where
    S: Service<Request<ReplayBody<B>>, Response = Response<R>> + Clone,
    S::Error: Into<BoxError>,
    B: Body + Unpin + 'static,
    B::Error: Into<BoxError>,
    R: Body,
    P: Iterator<Item = Duration> + Clone,
{
    type Response = Response<RetryBody<R>>;
    type Error = BoxError;
    type Future = RetryFuture<S, S::Future, B, R, P>;

    /// Always ready: the wait for the inner service belongs to each attempt. Switched off, the inner
    /// service's own readiness.
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        match &self.policy {
            Some(_) => Poll::Ready(Ok(())),
            None => self.inner.poll_ready(cx).map_err(Into::into),
        }
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let Some(policy) = &self.policy else {
            let request = request.map(ReplayBody::direct);
            return RetryFuture::off(self.inner.call(request));
        };
        let attempts = policy.settings.attempts;
        let plan = Plan::of(request.method(), request.extensions(), attempts);
        if plan.is_once() && policy.settings.hook.is_none() {
            return RetryFuture::once(&mut self.inner, request.map(ReplayBody::direct));
        }
        RetryFuture::planned(&mut self.inner, plan, policy, request)
    }
}
