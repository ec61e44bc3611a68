use std::task::{Context, Poll};

use http::{Request, Response};
use outrigger_core::call::{self, Scope};
use outrigger_core::{BoxError, Deadline};
use tokio::time::Instant;
use tower_service::Service;

use super::total::Total;
use super::{DeadlineFuture, DeadlineLayer};
use crate::limit::Limit;
use crate::uncalled::{Hindrance, Uncalled};
use crate::{ResponseBody, Timeouts, patience};

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

    #[inline(always)] // switched off it costs next to nothing
    fn call(&mut self, request: Request<B>) -> Self::Future {
        if self.layer.enabled {
            self.call_watched(request)
        } else {
            DeadlineFuture::unwatched(self.inner.call(request))
        }
    }
}

impl<S> DeadlineService<S> {
    #[inline(never)]
    fn call_watched<B, R>(&mut self, request: Request<B>) -> DeadlineFuture<S, S::Future, B>
    where
        S: Service<Request<B>, Response = Response<R>> + Clone,
        S::Error: Into<BoxError>,
    {
        if patience::asks(&request, self.layer.header.as_ref()) {
            return self.call_asking(request);
        }
        let now = Instant::now();
        let own = self.layer.total.after(now).map(Deadline::at);
        let deadline = Deadline::earliest(patience::known(), own);
        let total = Total::new(now, deadline, self.layer.body);
        start(&mut self.inner, request, total)
    }

    /// A call that may ask for a deadline.
    #[inline(never)]
    fn call_asking<B, R>(&mut self, request: Request<B>) -> DeadlineFuture<S, S::Future, B>
    where
        S: Service<Request<B>, Response = Response<R>> + Clone,
        S::Error: Into<BoxError>,
    {
        let limit = match request.extensions().get() {
            Some(&Timeouts {
                total: Some(own), ..
            }) => Limit::new(own),
            _ => self.layer.total,
        };
        let header = self.layer.header.as_ref();
        let now = Instant::now();
        let deadline = patience::deadline(&request, header, limit, now);
        let total = Total::new(now, deadline, self.layer.body);
        start(&mut self.inner, request, total)
    }
}

/// Calls the inner service when it is ready and there is time.
#[inline(always)]
fn start<S, B>(inner: &mut S, request: Request<B>, total: Total) -> DeadlineFuture<S, S::Future, B>
where
    S: Service<Request<B>> + Clone,
    S::Error: Into<BoxError>,
{
    let scope = Scope::open();
    total.bound();
    if let Some(hindrance) = Hindrance::of(total.is_over_at_once(), inner) {
        let late = || { total }.elapsed_before_dispatch(call::current());
        let uncalled = Uncalled::new(hindrance, late, inner, request, None);
        return DeadlineFuture::uncalled(uncalled, total, scope.close());
    }
    let future = inner.call(request);
    scope.close_with(|scope| DeadlineFuture::called(future, total, scope))
}
