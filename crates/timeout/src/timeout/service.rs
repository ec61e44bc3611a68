use std::task::{Context, Poll, Waker};

use http::{Request, Response};
use http_body::Body;
use outrigger_core::BoxError;
use outrigger_core::call::Scope;
use tokio::time::Instant;
use tower_service::Service;

use super::attempt::Attempt;
use super::future::State;
use super::upload::Upload;
use super::{TimeoutFuture, TimeoutLayer};
use crate::limit::Limit;
use crate::{RequestBody, ResponseBody, patience, renew};

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

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        if !self.layer.enabled {
            return TimeoutFuture::off(self.inner.call(request.map(RequestBody::unwatched)));
        }
        let now = Instant::now();
        let header = self.layer.header.as_ref();
        let mut attempt = Attempt::new(self.layer.limits, now);
        let scope = Scope::open();
        if let Some(timeouts) = request.extensions().get() {
            attempt.override_by(timeouts);
        }
        attempt.bound(patience::deadline(&request, header, Limit::NONE, now));

        // Asked before the inner service is: that must not be left ready and uncalled.
        if attempt.is_too_late(now) {
            let late = State::failed(attempt.too_late());
            return TimeoutFuture::new(late, attempt, scope.close());
        }
        let state = match self
            .inner
            .poll_ready(&mut Context::from_waker(Waker::noop()))
        {
            Poll::Ready(Ok(())) => {
                let upload = Upload::launch(&mut request, &attempt, header);
                let future = self
                    .inner
                    .call(request.map(|body| Upload::wrap(&upload, body)));
                let scope = scope.close();
                return TimeoutFuture::new(State::Called { future, upload }, attempt, scope);
            }
            Poll::Ready(Err(error)) => {
                // An instance that failed to become ready is dead (tower): a new one takes its place.
                drop(renew(&mut self.inner));
                State::failed(error.into())
            }
            Poll::Pending => State::wait(&mut self.inner, request, header),
        };
        TimeoutFuture::new(state, attempt, scope.close())
    }
}
