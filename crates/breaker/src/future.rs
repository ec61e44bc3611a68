use std::fmt;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use http::{Request, Response};
use http_body::Body;
use outrigger_core::call::{self, Call, Scope};
use outrigger_core::{BoxError, Classify, End};
use pin_project_lite::pin_project;
use tokio::time::Instant;
use tower_service::Service;

use crate::body::Ending;
use crate::guard::Guard;
use crate::{Open, ResponseBody, judge};

pin_project! {
    /// The response future of [`BreakerService`](crate::BreakerService).
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<S, F, B, C> {
        // Dropped before the guard: what the inner service does meanwhile is still part of the call.
        #[pin]
        state: State<S, F, B>,
        watch: Option<Watch>,
        classify: C,
    }
}

pin_project! {
    #[project = StateProj]
    pub(crate) enum State<S, F, B> {
        // The circuit refused, or the inner service failed to become ready.
        Failed { error: Option<BoxError> },
        // The inner service was not ready. In a box: most calls do not wait.
        Waiting { waiting: Box<Waiting<S, B>> },
        // The inner service has the request.
        Called { #[pin] future: F },
    }
}

/// A call that waits for the inner service, which is polled here and then called with the request.
pub(crate) struct Waiting<S, B> {
    service: S,
    request: Option<Request<B>>,
}

/// What a call is watched with; a layer that is switched off has none, nor has a refusal.
#[derive(Debug)]
struct Watch {
    guard: Guard,
    scope: Scope,
}

impl<S, F, B, C> ResponseFuture<S, F, B, C> {
    #[inline(always)]
    pub(crate) fn watched(state: State<S, F, B>, guard: Guard, scope: Scope, classify: C) -> Self {
        let watch = Some(Watch { guard, scope });
        Self {
            state,
            watch,
            classify,
        }
    }

    #[cold]
    pub(crate) fn refused(open: Open, classify: C) -> Self {
        Self {
            state: State::failed(open),
            watch: None,
            classify,
        }
    }

    #[inline(always)]
    pub(crate) fn off(future: F, classify: C) -> Self {
        Self {
            state: State::Called { future },
            watch: None,
            classify,
        }
    }
}

impl<S, F, B> State<S, F, B> {
    #[cold]
    fn failed(error: impl Into<BoxError>) -> Self {
        let error = Some(error.into());
        Self::Failed { error }
    }

    #[cold]
    fn waiting(service: S, request: Request<B>) -> Self {
        let request = Some(request);
        let waiting = Box::new(Waiting { service, request });
        Self::Waiting { waiting }
    }
}

impl<S, B> State<S, S::Future, B>
where
    S: Service<Request<B>>,
    S::Error: Into<BoxError>,
{
    /// Calls `inner` at once when it is ready and the circuit admits the call. When it is not, takes
    /// the instance that was polled along and leaves a fresh clone: a readiness that was begun is
    /// never left behind.
    #[inline(always)] // the request is moved once
    pub(crate) fn admit(
        inner: &mut S,
        request: Request<B>,
        guard: &mut Guard,
        classify: &impl Classify,
        now: Instant,
    ) -> Self
    where
        S: Clone,
    {
        match inner.poll_ready(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(())) => match guard.admit(now) {
                Ok(()) => {
                    // Told even where nothing was held back: a later attempt of the call may be.
                    call::update(Call::launch);
                    let future = guard.run(|| inner.call(request));
                    Self::Called { future }
                }
                Err(open) => {
                    // The instance that is ready makes no call: what it holds goes back with it.
                    drop(renew(inner));
                    Self::failed(open)
                }
            },
            Poll::Ready(Err(error)) => {
                // An instance that failed to become ready is dead (tower): a new one takes its place.
                drop(renew(inner));
                let error = error.into();
                judge::unready(guard, classify, &error, now);
                Self::failed(error)
            }
            Poll::Pending => {
                call::update(Call::hold);
                Self::waiting(renew(inner), request)
            }
        }
    }

    fn poll(
        mut self: Pin<&mut Self>,
        guard: &mut Guard,
        classify: &impl Classify,
        cx: &mut Context<'_>,
    ) -> Poll<Result<S::Response, BoxError>> {
        loop {
            let future = match self.as_mut().project() {
                StateProj::Called { future } => {
                    if let Err(open) = guard.recall() {
                        // What is refused is cancelled now, and not when this future is dropped.
                        self.set(Self::Failed { error: None });
                        return Poll::Ready(Err(open.into()));
                    }
                    let poll = guard.run(|| future.poll(cx));
                    return poll.map_err(Into::into);
                }
                StateProj::Failed { error } => {
                    return error
                        .take()
                        .map_or(Poll::Pending, |error| Poll::Ready(Err(error)));
                }
                StateProj::Waiting { waiting } => {
                    match ready!(waiting.poll(guard, classify, cx)) {
                        Ok(future) => future,
                        Err(error) => {
                            // Its place before the inner service goes to another now, too.
                            self.set(Self::Failed { error: None });
                            return Poll::Ready(Err(error));
                        }
                    }
                }
            };
            self.set(Self::Called { future });
        }
    }
}

impl<S, B> Waiting<S, B>
where
    S: Service<Request<B>>,
    S::Error: Into<BoxError>,
{
    /// Waits for the inner service, and makes the call when the circuit admits it.
    #[cold]
    fn poll(
        &mut self,
        guard: &mut Guard,
        classify: &impl Classify,
        cx: &mut Context<'_>,
    ) -> Poll<Result<S::Future, BoxError>> {
        call::update(Call::hold);
        guard.check(Instant::now())?;
        if let Err(error) = ready!(self.service.poll_ready(cx)) {
            let error = error.into();
            judge::unready(guard, classify, &error, Instant::now());
            return Poll::Ready(Err(error));
        }
        guard.admit(Instant::now())?;
        call::update(Call::launch);
        match self.request.take() {
            Some(request) => Poll::Ready(Ok(guard.run(|| self.service.call(request)))),
            None => Poll::Pending,
        }
    }
}

/// Takes the instance that was polled, and leaves a fresh clone.
fn renew<S: Clone>(inner: &mut S) -> S {
    let fresh = inner.clone();
    mem::replace(inner, fresh)
}

impl<S, B, C, R> Future for ResponseFuture<S, S::Future, B, C>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Error: Into<BoxError>,
    C: Classify + Clone,
    R: Body,
{
    type Output = Result<Response<ResponseBody<R, C>>, BoxError>;

    #[inline(always)] // switched off it costs next to nothing
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if self.watch.is_some() {
            return self.poll_watched(cx);
        }
        let response = match self.project().state.project() {
            StateProj::Called { future } => ready!(future.poll(cx)).map_err(Into::into)?,
            StateProj::Failed { error } => match error.take() {
                Some(error) => return Poll::Ready(Err(error)),
                None => return Poll::Pending,
            },
            StateProj::Waiting { .. } => return Poll::Pending,
        };
        let unwatched = |body| ResponseBody::new(body, Ending::untold());
        Poll::Ready(Ok(response.map(unwatched)))
    }
}

impl<S, B, C, R> ResponseFuture<S, S::Future, B, C>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Error: Into<BoxError>,
    C: Classify + Clone,
    R: Body,
{
    #[inline]
    fn poll_watched(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Response<ResponseBody<R, C>>, BoxError>> {
        let mut this = self.project();
        let Some(Watch { guard, scope }) = this.watch else {
            return Poll::Pending;
        };
        let entered = scope.enter();
        let result = match this.state.as_mut().poll(guard, this.classify, cx) {
            Poll::Pending => {
                guard.look();
                return Poll::Pending;
            }
            Poll::Ready(result) => result,
        };
        judge::call(guard, this.classify, &result);
        drop(entered);
        let response = result?;
        if response.body().is_end_stream() {
            // There is no body that would have to tell.
            judge::end(guard, this.classify, End::Complete(None));
        }
        let ending = match guard.is_aside() {
            true => Ending::untold(),
            false => Ending::of(this.watch.take().map(|watch| watch.guard), this.classify),
        };
        Poll::Ready(Ok(response.map(|body| ResponseBody::new(body, ending))))
    }
}

impl<S, F, B, C> fmt::Debug for ResponseFuture<S, F, B, C> {
    /// How far it has got; neither the request nor the inner service.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self.state {
            State::Failed { .. } => "Failed",
            State::Waiting { .. } => "Waiting",
            State::Called { .. } => "Called",
        };
        f.debug_struct("ResponseFuture")
            .field("state", &state)
            .field("watch", &self.watch)
            .finish_non_exhaustive()
    }
}
