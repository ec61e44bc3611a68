use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use outrigger_core::BoxError;
use tokio::time::Instant;
use tower_service::Service;

use crate::future::{ResponseFuture, State};
use crate::runs::Runs;

/// The service of [`BackoffLayer`](crate::BackoffLayer).
#[derive(Clone, Debug)]
pub struct BackoffService<S> {
    inner: S,
    runs: Option<Arc<Runs>>,
}

impl<S> BackoffService<S> {
    pub(crate) fn new(inner: S, runs: Option<Arc<Runs>>) -> Self {
        Self { inner, runs }
    }
}

impl<S, B, R> Service<Request<B>> for BackoffService<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone,
    S::Error: Into<BoxError>,
{
    type Response = Response<R>;
    type Error = BoxError;
    type Future = ResponseFuture<S, S::Future, B>;

    /// Always ready: the wait for the inner service is part of the call. Switched off, the inner
    /// service's own readiness.
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        match self.runs {
            Some(_) => Poll::Ready(Ok(())),
            None => self.inner.poll_ready(cx).map_err(Into::into),
        }
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        match &self.runs {
            Some(runs) => pace(runs, &mut self.inner, request),
            None => ResponseFuture::off(self.inner.call(request)),
        }
    }
}

/// Makes a call now, or at an instant that it can wait for.
fn pace<S, B>(runs: &Runs, inner: &mut S, request: Request<B>) -> ResponseFuture<S, S::Future, B>
where
    S: Service<Request<B>> + Clone,
    S::Error: Into<BoxError>,
{
    match runs.admit(&request, Instant::now()) {
        Ok((turn, None)) => ResponseFuture::new(State::admit(inner, request), Some(turn)),
        Ok((turn, Some((at, place)))) => {
            let state = State::pause(inner.clone(), request, at, place);
            ResponseFuture::new(state, Some(turn))
        }
        Err(paused) => ResponseFuture::new(State::failed(paused), None),
    }
}
