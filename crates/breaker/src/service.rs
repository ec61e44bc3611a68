use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use http::{Request, Response};
use http_body::Body;
use outrigger_core::call::Scope;
use outrigger_core::{BoxError, Classify};
use tower_service::Service;

use crate::circuits::Circuits;
use crate::entry::Entry;
use crate::guard::Guard;
use crate::key::Key;
use crate::uncalled::{Hindrance, Uncalled};
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

    #[inline(always)] // switched off it costs next to nothing, and out of line a copy of the request
    fn call(&mut self, request: Request<B>) -> Self::Future {
        match self.circuits {
            Some(_) => self.call_watched(request),
            None => self.call_unwatched(request),
        }
    }
}

// `map(|body| body)` changes nothing of a request, but takes it apart where it is handed on. So it is read
// where it lies and copied once; handed on whole, it would first be copied for these functions, too.
impl<S, K, C: Clone> BreakerService<S, K, C> {
    #[inline(never)]
    fn call_unwatched<B>(&mut self, request: Request<B>) -> ResponseFuture<S, S::Future, B, C>
    where
        S: Service<Request<B>>,
    {
        let future = self.inner.call(request.map(|body| body));
        ResponseFuture::unwatched(future, self.classify.clone())
    }

    #[inline(never)]
    fn call_watched<B>(&mut self, request: Request<B>) -> ResponseFuture<S, S::Future, B, C>
    where
        S: Service<Request<B>> + Clone,
        S::Error: Into<BoxError>,
        K: Key<B>,
        C: Classify,
    {
        let Some(circuits) = &self.circuits else {
            return self.call_unwatched(request);
        };
        let known = match self.key.of(&request) {
            None => circuits.known(request.uri()),
            Some(key) => Some(circuits.of(key.as_ref())),
        };
        match known {
            Some(entry) => start(&mut self.inner, request, entry, &self.classify),
            None => self.call_first(request),
        }
    }

    /// A call to an endpoint that has no circuit yet, or is spelled in a way of its own.
    #[cold]
    fn call_first<B>(&mut self, request: Request<B>) -> ResponseFuture<S, S::Future, B, C>
    where
        S: Service<Request<B>> + Clone,
        S::Error: Into<BoxError>,
        C: Classify,
    {
        let request = request.map(|body| body);
        let Some(circuits) = &self.circuits else {
            return self.call_unwatched(request);
        };
        let entry = circuits.at(request.uri());
        start(&mut self.inner, request, entry, &self.classify)
    }
}

/// Calls the inner service when it is ready and the circuit admits the call.
#[inline(always)] // the request is copied once
fn start<S, B, C>(
    inner: &mut S,
    request: Request<B>,
    entry: Arc<Entry>,
    classify: &C,
) -> ResponseFuture<S, S::Future, B, C>
where
    S: Service<Request<B>> + Clone,
    S::Error: Into<BoxError>,
    C: Classify + Clone,
{
    let (mut guard, classify) = (Guard::new(entry), classify.clone());
    // An open circuit refuses at once, be the inner service ready or never.
    if let Err(open) = guard.check() {
        return ResponseFuture::refused(open, classify);
    }
    let scope = Scope::open();
    let hindrance = match inner.poll_ready(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Ok(())) => match guard.admit() {
            Ok(()) => {
                // Told even where nothing was held back: a later attempt of the call may be.
                scope.launch();
                let future = guard.run(|| inner.call(request.map(|body| body)));
                if scope.is_waiting() {
                    // It waits below, however long nobody polls it.
                    guard.hold();
                }
                return scope
                    .close_with(|scope| ResponseFuture::called(future, guard, scope, classify));
            }
            Err(open) => Hindrance::Open(open),
        },
        Poll::Ready(Err(error)) => Hindrance::Dead(error.into()),
        Poll::Pending => Hindrance::Busy,
    };
    let uncalled = Uncalled::new(hindrance, inner, request, &mut guard, &classify);
    ResponseFuture::uncalled(uncalled, guard, scope.close(), classify)
}
