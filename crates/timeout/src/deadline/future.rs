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
use crate::ResponseBody;
use crate::clock::Until;
use crate::rare::Rare;
use crate::timer::Timer;
use crate::uncalled::{Uncalled, Waiting};

pin_project! {
    /// The response future of [`DeadlineService`](crate::DeadlineService).
    #[must_use = "futures do nothing unless polled"]
    pub struct DeadlineFuture<S, F, B> {
        #[pin]
        state: State<S, F, B>,
        // None in a layer that is switched off.
        total: Option<Total>,
        scope: Scope,
        timer: Timer,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<S, F, B> {
        // The call has not reached the inner service; where nothing is here, it is over.
        Uncalled { uncalled: Rare<Uncalled<S, B>> },
        // The inner service has the request.
        Called { #[pin] future: F },
    }
}

impl<S, F, B> DeadlineFuture<S, F, B> {
    /// The inner service has the request.
    #[inline(always)]
    pub(super) fn called(future: F, total: Total, scope: Scope) -> Self {
        Self {
            state: State::Called { future },
            total: Some(total),
            scope,
            timer: Timer::NONE,
        }
    }

    /// The inner service has the request, and there is no clock.
    #[inline(always)]
    pub(super) fn unwatched(future: F) -> Self {
        Self {
            state: State::Called { future },
            total: None,
            scope: Scope::none(),
            timer: Timer::NONE,
        }
    }

    /// The inner service does not have the request yet, or never will.
    #[cold]
    pub(super) fn uncalled(uncalled: Uncalled<S, B>, total: Total, scope: Scope) -> Self {
        let uncalled = Rare::some(uncalled);
        Self {
            state: State::Uncalled { uncalled },
            total: Some(total),
            scope,
            timer: Timer::NONE,
        }
    }
}

impl<S, B, R> Future for DeadlineFuture<S, S::Future, B>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Error: Into<BoxError>,
{
    type Output = Result<Response<ResponseBody<R>>, BoxError>;

    #[inline(always)] // switched off it costs next to nothing
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &self.total {
            Some(total) if total.watches_body() => return self.poll_whole(cx),
            Some(_) => return self.poll_watched(cx),
            None => {}
        }
        let StateProj::Called { future } = self.project().state.project() else {
            return Poll::Pending;
        };
        match future.poll(cx) {
            Poll::Ready(Ok(response)) => Poll::Ready(Ok(response.map(ResponseBody::unwatched))),
            Poll::Ready(Err(error)) => Poll::Ready(Err(error.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<S, B, R> DeadlineFuture<S, S::Future, B>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Error: Into<BoxError>,
{
    #[inline(never)]
    fn poll_watched(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Response<ResponseBody<R>>, BoxError>> {
        let mut this = self.project();
        let Some(total) = this.total else {
            return Poll::Pending;
        };
        let _entered = this.scope.enter();
        call::clear_timer();
        if !matches!(*this.state, State::Called { .. })
            && let Poll::Ready(Err(error)) = this.state.as_mut().poll_uncalled(total, cx)
        {
            return Poll::Ready(Err(error));
        }
        let polled = match this.state.as_mut().project() {
            StateProj::Called { future } => future.poll(cx),
            StateProj::Uncalled { .. } => Poll::Pending,
        };
        match polled {
            Poll::Ready(Ok(response)) => Poll::Ready(Ok(response.map(ResponseBody::unwatched))),
            Poll::Ready(Err(error)) => Poll::Ready(Err(error.into())),
            Poll::Pending => this.state.poll_clock(total, this.timer, cx).map(Err),
        }
    }

    /// The same, with the response body on the same clock.
    #[inline(never)]
    fn poll_whole(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Response<ResponseBody<R>>, BoxError>> {
        let mut response = ready!(self.as_mut().poll_watched(cx))?;
        let this = self.project();
        if let Some(total) = this.total
            && let Some(end) = total.end()
        {
            response.body_mut().end_in_time(Until {
                end,
                elapsed: total.elapsed(),
                timer: mem::replace(this.timer, Timer::NONE),
            });
        }
        Poll::Ready(Ok(response))
    }
}

impl<S, B> State<S, S::Future, B>
where
    S: Service<Request<B>>,
    S::Error: Into<BoxError>,
{
    /// Waits for the inner service, and calls it.
    #[cold]
    fn poll_uncalled(
        mut self: Pin<&mut Self>,
        total: &Total,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), BoxError>> {
        let StateProj::Uncalled { uncalled } = self.as_mut().project() else {
            return Poll::Ready(Ok(()));
        };
        if let Some(Uncalled::Waiting(waiting)) = uncalled.get_mut() {
            ready!(waiting.service.poll_ready(cx)).map_err(Into::into)?;
        }
        let future = match uncalled.take() {
            None => return Poll::Pending,
            Some(Uncalled::Failed(error)) => return Poll::Ready(Err(error)),
            Some(Uncalled::Waiting(_)) if total.has_passed(Instant::now()) => {
                return Poll::Ready(Err(total.elapsed_before_dispatch(call::current())));
            }
            Some(Uncalled::Waiting(waiting)) => {
                let Waiting {
                    mut service,
                    request,
                    ..
                } = *waiting;
                service.call(request)
            }
        };
        self.set(Self::Called { future });
        Poll::Ready(Ok(()))
    }
}

impl<S, F, B> State<S, F, B> {
    /// Waits for the deadline, unless a layer below has said that it wakes this task no later.
    #[inline(never)]
    fn poll_clock(
        mut self: Pin<&mut Self>,
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
        // What has taken too long is cancelled now, and not when this future is dropped.
        let uncalled = Rare::NONE;
        self.set(Self::Uncalled { uncalled });
        Poll::Ready(if called && !waits {
            total.elapsed().into()
        } else {
            total.elapsed_before_dispatch(call)
        })
    }
}

impl<S, F, B> fmt::Debug for DeadlineFuture<S, F, B> {
    /// How far it has got, and its clocks; neither the request nor the inner service.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            State::Called { .. } => "Called",
            State::Uncalled { uncalled } => match uncalled.get() {
                Some(Uncalled::Waiting(_)) => "Waiting",
                Some(Uncalled::Failed(_)) | None => "Failed",
            },
        };
        f.debug_struct("DeadlineFuture")
            .field("state", &state)
            .field("total", &self.total)
            .field("timer", &self.timer)
            .finish()
    }
}
