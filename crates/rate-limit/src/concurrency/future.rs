use std::fmt;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use http::{Request, Response};
use http_body::Body;
use outrigger_core::call::{self, Call};
use outrigger_core::{BoxError, Tracked};
use pin_project_lite::pin_project;
use tower_service::Service;

use super::error::Saturated;
use super::permit::{ConcurrencyBody, Permit};
use super::wait::Wait;

pin_project! {
    /// The response future of [`ConcurrencyService`](super::ConcurrencyService).
    #[must_use = "futures do nothing unless polled"]
    pub struct ConcurrencyFuture<S, F, B> {
        #[pin]
        state: State<S, F, B>,
        permit: Permit,
    }
}

pin_project! {
    #[project = StateProj]
    pub(super) enum State<S, F, B> {
        // The call was refused, or the inner service failed to become ready.
        Failed { error: Option<BoxError> },
        // It waits for a permit, and then for the inner service, which is called with the request.
        Waiting { wait: Option<Wait>, limit: u32, service: S, request: Option<Request<B>> },
        // The inner service has the request.
        Called { #[pin] future: F },
    }
}

impl<S, F, B> ConcurrencyFuture<S, F, B> {
    pub(super) fn new(state: State<S, F, B>, permit: Permit) -> Self {
        Self { state, permit }
    }

    pub(super) fn off(future: F) -> Self {
        Self::new(State::Called { future }, Permit::none())
    }
}

impl<S, F, B> State<S, F, B> {
    pub(super) fn failed(error: impl Into<BoxError>) -> Self {
        let error = Some(error.into());
        Self::Failed { error }
    }

    /// Waits for a permit, and then for a service of its own to become ready.
    pub(super) fn line(wait: Wait, limit: u32, service: S, request: Request<B>) -> Self {
        Self::waiting(Some(wait), limit, service, request)
    }

    fn waiting(wait: Option<Wait>, limit: u32, service: S, request: Request<B>) -> Self {
        call::update(Call::hold);
        let request = Some(request);
        Self::Waiting {
            wait,
            limit,
            service,
            request,
        }
    }
}

impl<S, B> State<S, S::Future, B>
where
    S: Service<Request<B>>,
    S::Error: Into<BoxError>,
{
    /// Calls `inner` at once when it is ready. When it is not, takes the instance that was polled
    /// along and leaves a fresh clone: a readiness that was begun is never left behind.
    pub(super) fn admit(inner: &mut S, request: Request<B>) -> Self
    where
        S: Clone,
    {
        match inner.poll_ready(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(())) => {
                // Told even where nothing was held back: a later attempt of the call may be.
                call::update(Call::launch);
                let future = inner.call(request);
                Self::Called { future }
            }
            Poll::Ready(Err(error)) => {
                // An instance that failed to become ready is dead (tower): a new one takes its place.
                let fresh = inner.clone();
                *inner = fresh;
                Self::failed(error)
            }
            Poll::Pending => {
                let fresh = inner.clone();
                Self::waiting(None, 0, mem::replace(inner, fresh), request)
            }
        }
    }

    fn poll(
        mut self: Pin<&mut Self>,
        permit: &mut Permit,
        cx: &mut Context<'_>,
    ) -> Poll<Result<S::Response, BoxError>> {
        loop {
            let future = match self.as_mut().project() {
                StateProj::Called { future } => return future.poll(cx).map_err(Into::into),
                StateProj::Failed { error } => {
                    return error
                        .take()
                        .map_or(Poll::Pending, |error| Poll::Ready(Err(error)));
                }
                StateProj::Waiting {
                    wait,
                    limit,
                    service,
                    request,
                } => {
                    if let Some(waiting) = wait {
                        let Some(given) = ready!(waiting.poll(cx)) else {
                            return Poll::Ready(Err(Saturated::new(*limit).into()));
                        };
                        *permit = given;
                        *wait = None;
                    }
                    ready!(service.poll_ready(cx)).map_err(Into::into)?;
                    let Some(request) = request.take() else {
                        return Poll::Pending;
                    };
                    call::update(Call::launch);
                    service.call(request)
                }
            };
            self.set(Self::Called { future });
        }
    }
}

impl<S, B, R> Future for ConcurrencyFuture<S, S::Future, B>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Error: Into<BoxError>,
    R: Body,
{
    type Output = Result<Response<ConcurrencyBody<R>>, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let result = ready!(this.state.poll(this.permit, cx));
        // With an error it is given back here, with an answer at the end of its body.
        let permit = mem::take(this.permit);
        Poll::Ready(result.map(|response| response.map(|body| Tracked::new(body, permit))))
    }
}

impl<S, F, B> fmt::Debug for ConcurrencyFuture<S, F, B> {
    /// How far it has got; neither the request nor the inner service.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self.state {
            State::Failed { .. } => "Failed",
            State::Waiting { wait: Some(_), .. } => "InLine",
            State::Waiting { .. } => "Waiting",
            State::Called { .. } => "Called",
        };
        f.debug_struct("ConcurrencyFuture")
            .field("state", &state)
            .finish_non_exhaustive()
    }
}
