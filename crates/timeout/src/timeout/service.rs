use std::task::{Context, Poll};
use std::time::Duration;

use http::{Request, Response};
use http_body::Body;
use outrigger_core::BoxError;
use outrigger_core::call::Scope;
use tokio::time::Instant;
use tower_service::Service;

use super::attempt::Attempt;
use super::future::State;
use super::{TimeoutFuture, TimeoutLayer};
use crate::{RequestBody, ResponseBody, Timeouts, patience};

/// The service of [`TimeoutLayer`].
#[derive(Clone, Debug)]
pub struct TimeoutService<S> {
    inner: S,
    layer: TimeoutLayer,
}

impl<S> TimeoutService<S> {
    pub(super) const fn new(inner: S, layer: TimeoutLayer) -> Self {
        Self { inner, layer }
    }
}

impl<S, B, R> Service<Request<B>> for TimeoutService<S>
where
    S: Service<Request<RequestBody<B>>, Response = Response<R>> + Clone,
    S::Error: Into<BoxError>,
    B: Body,
{
    type Response = Response<ResponseBody<R>>;
    type Error = BoxError;
    type Future = TimeoutFuture<S, S::Future, B>;

    /// Always ready: the wait for the inner service belongs to the call. Switched off, the inner
    /// service's own readiness.
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        if self.layer.enabled {
            return Poll::Ready(Ok(()));
        }
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        if !self.layer.enabled {
            return TimeoutFuture::off(self.inner.call(request.map(RequestBody::unwatched)));
        }
        let now = Instant::now();
        let mut scope = Scope::join();
        let (state, attempt) = scope.run(|| {
            let overrides = request.extensions().get::<Timeouts>();
            let limits = self.layer.limits.overridden(overrides);
            let header = self.layer.header.as_ref();
            let deadline = patience::settle(&request, header, Duration::MAX, now);
            let attempt = Attempt::new(limits, deadline, now);
            let state = State::admit(&mut self.inner, request, &attempt, header, now);
            (state, attempt)
        });
        TimeoutFuture::new(state, attempt, scope)
    }
}
