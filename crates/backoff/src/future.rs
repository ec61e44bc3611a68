use std::fmt;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use http::{Request, Response};
use outrigger_core::BoxError;
use outrigger_core::call::{self, Call};
use pin_project_lite::pin_project;
use tokio::time::{Instant, Sleep, sleep_until};
use tower_service::Service;

use crate::place::Place;
use crate::runs::Turn;

pin_project! {
    /// The response future of [`BackoffService`](crate::BackoffService).
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<S, F, B> {
        #[pin]
        state: State<S, F, B>,
        turn: Option<Turn>,
    }
}

pin_project! {
    #[project = StateProj]
    pub(crate) enum State<S, F, B> {
        // The call was refused, or the inner service failed to become ready.
        Failed { error: Option<BoxError> },
        // The call pauses, or the inner service was not ready: it is polled here, and then called.
        Waiting { pause: Option<Pause>, service: S, request: Option<Request<B>> },
        // The inner service has the request.
        Called { #[pin] future: F },
    }
}

/// A pause, and the place in which it is waited for.
pub(crate) struct Pause {
    sleep: Pin<Box<Sleep>>,
    _place: Place,
}

impl<S, F, B> ResponseFuture<S, F, B> {
    pub(crate) fn new(state: State<S, F, B>, turn: Option<Turn>) -> Self {
        Self { state, turn }
    }

    pub(crate) fn off(future: F) -> Self {
        Self {
            state: State::Called { future },
            turn: None,
        }
    }
}

impl<S, F, B> State<S, F, B> {
    pub(crate) fn failed(error: impl Into<BoxError>) -> Self {
        let error = Some(error.into());
        Self::Failed { error }
    }

    /// Waits until an instant, and then for a service of its own to become ready.
    pub(crate) fn pause(service: S, request: Request<B>, at: Instant, place: Place) -> Self {
        let sleep = Box::pin(sleep_until(at));
        let pause = Pause {
            sleep,
            _place: place,
        };
        Self::waiting(Some(pause), service, request)
    }

    fn waiting(pause: Option<Pause>, service: S, request: Request<B>) -> Self {
        call::update(Call::hold);
        Self::Waiting {
            pause,
            service,
            request: Some(request),
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
    pub(crate) fn admit(inner: &mut S, request: Request<B>) -> Self
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
                Self::waiting(None, mem::replace(inner, fresh), request)
            }
        }
    }

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<S::Response, BoxError>> {
        loop {
            let future = match self.as_mut().project() {
                StateProj::Called { future } => return future.poll(cx).map_err(Into::into),
                StateProj::Failed { error } => {
                    return error
                        .take()
                        .map_or(Poll::Pending, |error| Poll::Ready(Err(error)));
                }
                StateProj::Waiting {
                    pause,
                    service,
                    request,
                } => {
                    if let Some(Pause { sleep, .. }) = pause {
                        ready!(sleep.as_mut().poll(cx));
                        *pause = None;
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

impl<S, B, R> Future for ResponseFuture<S, S::Future, B>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Error: Into<BoxError>,
{
    type Output = Result<Response<R>, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let poll = this.state.poll(cx);
        if let Poll::Ready(result) = &poll
            && let Some(turn) = this.turn.take()
        {
            turn.finish(result);
        }
        poll
    }
}

impl<S, F, B> fmt::Debug for ResponseFuture<S, F, B> {
    /// How far it has got; neither the request nor the inner service.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self.state {
            State::Failed { .. } => "Failed",
            State::Waiting { pause: Some(_), .. } => "Pausing",
            State::Waiting { .. } => "Waiting",
            State::Called { .. } => "Called",
        };
        f.debug_struct("ResponseFuture")
            .field("state", &state)
            .finish_non_exhaustive()
    }
}
