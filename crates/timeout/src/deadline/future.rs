use std::fmt;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::{Request, Response};
use outrigger_core::BoxError;
use outrigger_core::call::{self, Dispatch, Scope};
use pin_project_lite::pin_project;
use tokio::time::Instant;
use tower_service::Service;

use super::total::Total;
use crate::clock::Until;
use crate::timer::Timer;
use crate::{ResponseBody, renew};

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

/// What a call is watched with; a layer that is switched off has none.
#[derive(Debug)]
struct Watch {
    total: Total,
    scope: Scope,
    body: bool,
    timer: Timer,
}

impl<S, F, B> DeadlineFuture<S, F, B> {
    #[inline(always)]
    pub(super) fn new(state: State<S, F, B>, total: Total, body: bool, scope: Scope) -> Self {
        let timer = Timer::NONE;
        Self {
            state,
            watch: Some(Watch {
                total,
                scope,
                body,
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

impl<S, B, R> Future for DeadlineFuture<S, S::Future, B>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Error: Into<BoxError>,
{
    type Output = Result<Response<ResponseBody<R>>, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let Some(Watch {
            total,
            scope,
            body,
            timer,
        }) = this.watch
        else {
            let response = ready!(this.state.poll_off(cx))?;
            return Poll::Ready(Ok(response.map(ResponseBody::unwatched)));
        };
        let _entered = scope.enter();
        call::update(|call| call.set_timer(None));
        let response = match this.state.as_mut().poll(total, cx) {
            Poll::Ready(result) => result?,
            Poll::Pending => {
                let error = ready!(this.state.as_mut().poll_total(total, timer, cx));
                // What has taken too long is cancelled now, and not when this future is dropped.
                this.state.set(State::Failed { error: None });
                return Poll::Ready(Err(error));
            }
        };
        let end = if *body { total.end() } else { None };
        Poll::Ready(Ok(response.map(|body| match end {
            Some(end) => ResponseBody::until(
                body,
                Until {
                    end,
                    elapsed: total.elapsed(),
                    timer: mem::replace(timer, Timer::NONE),
                },
            ),
            None => ResponseBody::unwatched(body),
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
        total: &Total,
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
                    if total.has_passed(Instant::now()) {
                        let late = total.elapsed_before_dispatch(call::current());
                        return Poll::Ready(Err(late.into()));
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
    #[cold]
    pub(super) fn failed(error: BoxError) -> Self {
        Self::Failed { error: Some(error) }
    }

    /// Takes along the instance that was polled: a readiness that was begun is never left behind.
    #[cold]
    pub(super) fn wait(inner: &mut S, request: Request<B>) -> Self
    where
        S: Clone,
    {
        Self::Waiting {
            service: renew(inner),
            request: Some(request),
        }
    }

    /// Waits for the deadline, unless a layer below has said that it wakes this task no later.
    fn poll_total(
        self: Pin<&mut Self>,
        total: &Total,
        timer: &mut Timer,
        cx: &mut Context<'_>,
    ) -> Poll<BoxError> {
        let Some(end) = total.end() else {
            return Poll::Pending;
        };
        let call = call::current();
        let timer_below = call.and_then(|call| call.timer());
        if timer_below.is_some_and(|at| at <= end) {
            return Poll::Pending;
        }
        ready!(timer.poll(end, cx));
        let called = matches!(*self, Self::Called { .. });
        let waits = call.is_some_and(|call| call.dispatch() == Dispatch::Waiting);
        Poll::Ready(if called && !waits {
            total.elapsed().into()
        } else {
            total.elapsed_before_dispatch(call).into()
        })
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
