use std::task::{Context, Poll};

use http::{HeaderName, Request, Response};
use http_body::Body;
use outrigger_core::call::{self, Opened, Scope};
use outrigger_core::{BoxError, Deadline};
use tokio::time::Instant;
use tower_service::Service;

use super::attempt::Attempt;
use super::limits::Limits;
use super::upload::Upload;
use super::{TimeoutFuture, TimeoutLayer};
use crate::limit::Limit;
use crate::uncalled::{Hindrance, Uncalled};
use crate::{RequestBody, ResponseBody, patience};

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

    #[inline(always)] // switched off it costs next to nothing, and out of line two copies
    fn call(&mut self, request: Request<B>) -> Self::Future {
        if self.layer.enabled {
            self.call_watched(request)
        } else {
            TimeoutFuture::unwatched(self.inner.call(request.map(RequestBody::unwatched)))
        }
    }
}

impl<S> TimeoutService<S> {
    #[inline(never)]
    fn call_watched<B, R>(&mut self, request: Request<B>) -> TimeoutFuture<S, S::Future, B>
    where
        S: Service<Request<RequestBody<B>>, Response = Response<R>> + Clone,
        S::Error: Into<BoxError>,
        B: Body,
    {
        if patience::asks(&request, self.layer.header.as_ref()) {
            return self.call_asking(request);
        }
        let scope = Scope::open();
        let (limits, deadline) = (&self.layer.limits, patience::known());
        start(
            &mut self.inner,
            request,
            limits,
            deadline,
            scope,
            None,
            |_| {},
        )
    }

    /// A call that may ask for limits or a deadline, or tells the server what is left.
    #[inline(never)]
    fn call_asking<B, R>(&mut self, request: Request<B>) -> TimeoutFuture<S, S::Future, B>
    where
        S: Service<Request<RequestBody<B>>, Response = Response<R>> + Clone,
        S::Error: Into<BoxError>,
        B: Body,
    {
        let scope = Scope::open();
        let limits = match request.extensions().get() {
            Some(timeouts) => self.layer.limits.overridden(timeouts),
            None => self.layer.limits,
        };
        let header = self.layer.header.as_ref();
        let now = Instant::now();
        let deadline = patience::deadline(&request, header, Limit::NONE, now);
        let left = Attempt::new(limits, deadline).left(now);
        start(
            &mut self.inner,
            request,
            &limits,
            deadline,
            scope,
            header,
            |request| {
                patience::tell(request, header, left);
            },
        )
    }
}

/// Calls the inner service when it is ready and there is time; before that, `tell` may write to the
/// request.
#[inline(always)] // the request is copied once, as its body is wrapped
fn start<S, B>(
    inner: &mut S,
    request: Request<B>,
    limits: &Limits,
    deadline: Option<Deadline>,
    scope: Opened,
    header: Option<&HeaderName>,
    tell: impl FnOnce(&mut Request<RequestBody<B>>),
) -> TimeoutFuture<S, S::Future, B>
where
    S: Service<Request<RequestBody<B>>> + Clone,
    S::Error: Into<BoxError>,
    B: Body,
{
    let late = deadline.is_some_and(|deadline| limits.leave_none(deadline, Instant::now()));
    if let Some(hindrance) = Hindrance::of(late, inner) {
        let attempt = Attempt::new(*limits, deadline);
        // How long the call may take in all is known from now on.
        if let Some(deadline) = deadline {
            call::update(|call| call.shorten(deadline, Instant::now()));
        }
        let late = || attempt.too_late();
        let uncalled = Uncalled::new(hindrance, late, inner, request, header);
        return TimeoutFuture::uncalled(uncalled, attempt, scope.close());
    }
    scope.launch();
    let upload = Upload::of(request.body(), limits);
    let mut request = request.map(|body| Upload::wrap(&upload, body));
    tell(&mut request);
    let future = inner.call(request);
    scope.close_with(|scope| {
        let attempt = Attempt::new(*limits, deadline);
        TimeoutFuture::called(future, upload, attempt, scope)
    })
}
