use std::task::{Context, Poll};

use http::{Request, Response};
use outrigger_core::{BoxError, call::Scope};
use tokio::time::Instant;
use tower_service::Service;

use super::future::{Patience, State};
use super::{DeadlineFuture, DeadlineLayer};
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

    fn call(&mut self, request: Request<B>) -> Self::Future {
        if !self.layer.enabled {
            return DeadlineFuture::off(self.inner.call(request));
        }
        let now = Instant::now();
        let mut scope = Scope::join();
        let (state, patience) = scope.run(|| {
            let overrides = request.extensions().get::<Timeouts>();
            let total = overrides.and_then(|timeouts| timeouts.total);
            let total = total.unwrap_or(self.layer.total);
            let deadline = patience::settle(&request, self.layer.header.as_ref(), total, now);
            let patience = deadline.map(|deadline| Patience::new(deadline, now));
            let state = match patience.filter(|patience| patience.has_passed(now)) {
                Some(late) => State::failed(late.elapsed(true)),
                None => State::admit(&mut self.inner, request),
            };
            (state, patience)
        });
        DeadlineFuture::new(state, patience, self.layer.body, scope)
    }
}
