use std::fmt;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use http::{Request, Response};
use outrigger_core::call::{self, Dispatch, Scope};
use outrigger_core::{BoxError, Deadline, Elapsed, Phase};
use pin_project_lite::pin_project;
use tokio::time::Instant;
use tower_service::Service;

use crate::ResponseBody;
use crate::timer::Timer;

pin_project! {
    /// The response future of [`DeadlineService`](crate::DeadlineService).
    #[must_use = "futures do nothing unless polled"]
    pub struct DeadlineFuture<S, F, B> {
        #[pin]
        state: State<S, F, B>,
        watch: Option<Watch>,
    }
}

pin_project! {
    #[project = StateProj]
    pub(super) enum State<S, F, B> {
        // The inner service was not ready: it is polled here, and then called with the request.
        Waiting { service: S, request: Option<Request<B>> },
        // The deadline had passed before the call began, or the inner service failed to become ready.
        Failed { error: Option<BoxError> },
        // The inner service has the request.
        Called { #[pin] future: F },
    }
}

/// A deadline, and how long before it the call began.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    deadline: Deadline,
    limit: Duration,
}

impl Patience {
    pub(super) fn new(deadline: Deadline, now: Instant) -> Self {
        Self {
            deadline,
            limit: deadline.remaining(now),
        }
    }

    pub(super) fn has_passed(&self, now: Instant) -> bool {
        self.deadline.has_passed(now)
    }

    /// The error that is due at the deadline. While the request is `held` in front of the transport
    /// nothing of it was sent, and unless an earlier attempt was, nothing of the call.
    pub(super) fn elapsed(&self, held: bool) -> BoxError {
        let elapsed = Elapsed::new(Phase::Total, self.limit);
        let may_have_sent = call::current().is_some_and(|call| call.may_have_sent());
        if held && !may_have_sent {
            return elapsed.unsent().into();
        }
        elapsed.into()
    }
}

/// What a call is watched with; a layer that is switched off has none.
#[derive(Debug)]
struct Watch {
    patience: Option<Patience>,
    body: bool,
    scope: Scope,
    timer: Timer,
}

impl<S, F, B> DeadlineFuture<S, F, B> {
    pub(super) fn new(
        state: State<S, F, B>,
        patience: Option<Patience>,
        body: bool,
        scope: Scope,
    ) -> Self {
        let timer = Timer::default();
        Self {
            state,
            watch: Some(Watch {
                patience,
                body,
                scope,
                timer,
            }),
        }
    }

    pub(super) fn off(future: F) -> Self {
        Self {
            state: State::Called { future },
            watch: None,
        }
    }
}

impl<S, B> State<S, S::Future, B>
where
    S: Service<Request<B>> + Clone,
    S::Error: Into<BoxError>,
{
    /// Calls `inner` at once when it is ready. When it is not, takes the instance that was polled
    /// along and leaves a fresh clone: a readiness that was begun is never left behind.
    pub(super) fn admit(inner: &mut S, request: Request<B>) -> Self {
        match inner.poll_ready(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(())) => Self::Called {
                future: inner.call(request),
            },
            Poll::Ready(Err(error)) => Self::failed(error.into()),
            Poll::Pending => {
                let fresh = inner.clone();
                Self::Waiting {
                    service: mem::replace(inner, fresh),
                    request: Some(request),
                }
            }
        }
    }
}

impl<S, B, R> Future for DeadlineFuture<S, S::Future, B>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Error: Into<BoxError>,
{
    type Output = Result<Response<ResponseBody<R>>, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let Some(Watch {
            patience,
            body,
            scope,
            timer,
        }) = this.watch
        else {
            let response = ready!(this.state.poll_off(cx))?;
            return Poll::Ready(Ok(response.map(ResponseBody::unwatched)));
        };
        let result = scope.run(|| {
            call::update(|call| call.set_timer(None));
            match this.state.as_mut().poll(*patience, cx) {
                Poll::Ready(result) => Poll::Ready(result),
                Poll::Pending => {
                    let error = ready!(this.state.as_mut().poll_deadline(*patience, timer, cx));
                    // What has taken too long is cancelled now, and not when this future is dropped.
                    this.state.set(State::Failed { error: None });
                    Poll::Ready(Err(error))
                }
            }
        });
        let response = ready!(result)?;
        Poll::Ready(Ok(response.map(|inner| match *patience {
            Some(Patience { deadline, limit }) if *body => {
                ResponseBody::within(inner, deadline, limit, mem::take(timer))
            }
            _ => ResponseBody::unwatched(inner),
        })))
    }
}

impl<S, B> State<S, S::Future, B>
where
    S: Service<Request<B>>,
    S::Error: Into<BoxError>,
{
    fn poll_off(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<S::Response, BoxError>> {
        match self.project() {
            StateProj::Called { future } => future.poll(cx).map_err(Into::into),
            _ => Poll::Pending,
        }
    }

    fn poll(
        mut self: Pin<&mut Self>,
        patience: Option<Patience>,
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
                StateProj::Waiting { service, request } => {
                    ready!(service.poll_ready(cx)).map_err(Into::into)?;
                    if let Some(late) = patience.filter(|end| end.has_passed(Instant::now())) {
                        return Poll::Ready(Err(late.elapsed(true)));
                    }
                    match request.take() {
                        Some(request) => service.call(request),
                        None => return Poll::Pending,
                    }
                }
            };
            self.set(Self::Called { future });
        }
    }
}

impl<S, F, B> State<S, F, B> {
    pub(super) fn failed(error: BoxError) -> Self {
        Self::Failed { error: Some(error) }
    }

    /// Waits for the deadline, unless a layer below has said that it wakes this task no later.
    fn poll_deadline(
        self: Pin<&mut Self>,
        patience: Option<Patience>,
        timer: &mut Timer,
        cx: &mut Context<'_>,
    ) -> Poll<BoxError> {
        let Some(patience) = patience else {
            return Poll::Pending;
        };
        let (end, call) = (
            patience.deadline.instant(),
            call::current().unwrap_or_default(),
        );
        if call.timer().is_some_and(|at| at <= end) {
            return Poll::Pending;
        }
        ready!(timer.poll(end, cx));
        let called = matches!(*self, Self::Called { .. });
        Poll::Ready(patience.elapsed(!called || call.dispatch() == Dispatch::Waiting))
    }
}

impl<S, F, B> fmt::Debug for DeadlineFuture<S, F, B> {
    /// How far it has got, and its clocks; neither the request nor the inner service.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self.state {
            State::Waiting { .. } => "Waiting",
            State::Failed { .. } => "Failed",
            State::Called { .. } => "Called",
        };
        f.debug_struct("DeadlineFuture")
            .field("state", &state)
            .field("watch", &self.watch)
            .finish()
    }
}
