use std::task::{Context, Poll, Waker};

use http::{Request, Response};
use outrigger_core::BoxError;
use outrigger_core::call::{self, Scope};
use tokio::time::Instant;
use tower_service::Service;

use super::future::State;
use super::total::Total;
use super::{DeadlineFuture, DeadlineLayer};
use crate::limit::Limit;
use crate::{ResponseBody, Timeouts, patience, renew};

/// The service of [`DeadlineLayer`].
#[derive(Clone, Debug)]
pub struct DeadlineService<S> {
    inner: S,
    layer: DeadlineLayer,
}

impl<S> DeadlineService<S> {
    pub(super) const fn new(inner: S, layer: DeadlineLayer) -> Self {
        Self { inner, layer }
    }
}

impl<S, B, R> Service<Request<B>> for DeadlineService<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone,
    S::Error: Into<BoxError>,
{
    type Response = Response<ResponseBody<R>>;
    type Error = BoxError;
    type Future = DeadlineFuture<S, S::Future, B>;

    /// Always ready: the wait for the inner service is part of the call. Switched off, the inner
    /// service's own readiness.
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        if self.layer.enabled {
            return Poll::Ready(Ok(()));
        }
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        if !self.layer.enabled {
            return DeadlineFuture::off(self.inner.call(request));
        }
        let now = Instant::now();
        let scope = Scope::open();
        let total = match request.extensions().get() {
            Some(&Timeouts {
                total: Some(own), ..
            }) => Limit::new(own),
            _ => self.layer.total,
        };
        let header = self.layer.header.as_ref();
        let deadline = patience::deadline(&request, header, total, now);
        if let Some(deadline) = deadline {
            call::update(|call| call.shorten(deadline, now));
        }

        let total = Total::new(now, deadline);
        let body = self.layer.body;

        // Asked before the inner service is: that must not be left ready and uncalled.
        if total.has_passed(now) {
            let late = total.elapsed_before_dispatch(call::current());
            let late = State::failed(late.into());
            return DeadlineFuture::new(late, total, body, scope.close());
        }
        let state = match self
            .inner
            .poll_ready(&mut Context::from_waker(Waker::noop()))
        {
            Poll::Ready(Ok(())) => {
                let future = self.inner.call(request);
                let scope = scope.close();
                return DeadlineFuture::new(State::Called { future }, total, body, scope);
            }
            Poll::Ready(Err(error)) => {
                // An instance that failed to become ready is dead (tower): a new one takes its place.
                drop(renew(&mut self.inner));
                State::failed(error.into())
            }
            Poll::Pending => State::wait(&mut self.inner, request),
        };
        DeadlineFuture::new(state, total, body, scope.close())
    }
}
