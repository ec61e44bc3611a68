use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::{Request, Response};
use http_body::Body;
use outrigger_core::BoxError;
use outrigger_core::call::{self, Call, Dispatch, Scope};
use pin_project_lite::pin_project;
use tokio::time::Instant;
use tower_service::Service;

use super::attempt::{Attempt, Due};
use super::upload::Upload;
use crate::rare::Rare;
use crate::timer::Timer;
use crate::uncalled::{Uncalled, Waiting};
use crate::{RequestBody, ResponseBody, patience};

pin_project! {
    /// The response future of [`TimeoutService`](crate::TimeoutService).
    #[must_use = "futures do nothing unless polled"]
    pub struct TimeoutFuture<S, F, B> {
        #[pin]
        state: State<S, F, B>,
        // None in a layer that is switched off.
        attempt: Option<Attempt>,
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
        Called { #[pin] future: F, upload: Option<Upload> },
    }
}

impl<S, F, B> TimeoutFuture<S, F, B> {
    /// The inner service has the request.
    #[inline(always)]
    pub(super) fn called(
        future: F,
        upload: Option<Upload>,
        attempt: Attempt,
        scope: Scope,
    ) -> Self {
        Self {
            state: State::Called { future, upload },
            attempt: Some(attempt),
            scope,
            timer: Timer::NONE,
        }
    }

    /// The inner service has the request, and nothing is due.
    #[inline(always)]
    pub(super) fn unwatched(future: F) -> Self {
        let upload = None;
        Self {
            state: State::Called { future, upload },
            attempt: None,
            scope: Scope::none(),
            timer: Timer::NONE,
        }
    }

    /// The inner service does not have the request yet, or never will.
    #[cold]
    pub(super) fn uncalled(uncalled: Uncalled<S, B>, attempt: Attempt, scope: Scope) -> Self {
        let uncalled = Rare::some(uncalled);
        Self {
            state: State::Uncalled { uncalled },
            attempt: Some(attempt),
            scope,
            timer: Timer::NONE,
        }
    }
}

impl<S, B, R> Future for TimeoutFuture<S, S::Future, B>
where
    S: Service<Request<RequestBody<B>>, Response = Response<R>>,
    S::Error: Into<BoxError>,
    B: Body,
{
    type Output = Result<Response<ResponseBody<R>>, BoxError>;

    #[inline(always)] // switched off it costs next to nothing
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if self.attempt.is_some() {
            return self.poll_watched(cx);
        }
        let StateProj::Called { future, .. } = self.project().state.project() else {
            return Poll::Pending;
        };
        match future.poll(cx) {
            Poll::Ready(Ok(response)) => Poll::Ready(Ok(response.map(ResponseBody::unwatched))),
            Poll::Ready(Err(error)) => Poll::Ready(Err(error.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<S, B, R> TimeoutFuture<S, S::Future, B>
where
    S: Service<Request<RequestBody<B>>, Response = Response<R>>,
    S::Error: Into<BoxError>,
    B: Body,
{
    #[inline(never)]
    fn poll_watched(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Response<ResponseBody<R>>, BoxError>> {
        let mut this = self.project();
        let Some(attempt) = this.attempt else {
            return Poll::Pending;
        };
        let _entered = this.scope.enter();
        if !matches!(*this.state, State::Called { .. })
            && let Poll::Ready(Err(error)) = this.state.as_mut().poll_uncalled(attempt, cx)
        {
            return Poll::Ready(Err(error));
        }
        let polled = match this.state.as_mut().project() {
            StateProj::Called { future, .. } => future.poll(cx),
            StateProj::Uncalled { .. } => Poll::Pending,
        };
        match polled {
            Poll::Ready(Ok(response)) => {
                let idle = attempt.limits().body_idle;
                Poll::Ready(Ok(response.map(|body| ResponseBody::idle(body, idle))))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error.into())),
            Poll::Pending => this.state.poll_clocks(attempt, this.timer, cx).map(Err),
        }
    }
}

impl<S, B> State<S, S::Future, B>
where
    S: Service<Request<RequestBody<B>>>,
    S::Error: Into<BoxError>,
    B: Body,
{
    /// Waits for the inner service, and calls it.
    #[cold]
    fn poll_uncalled(
        mut self: Pin<&mut Self>,
        attempt: &Attempt,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), BoxError>> {
        let StateProj::Uncalled { uncalled } = self.as_mut().project() else {
            return Poll::Ready(Ok(()));
        };
        if let Some(Uncalled::Waiting(waiting)) = uncalled.get_mut() {
            call::update(Call::hold);
            ready!(waiting.service.poll_ready(cx)).map_err(Into::into)?;
        }
        let now = Instant::now();
        let (future, upload) = match uncalled.take() {
            None => return Poll::Pending,
            Some(Uncalled::Failed(error)) => return Poll::Ready(Err(error)),
            Some(Uncalled::Waiting(_)) if attempt.is_too_late(now) => {
                return Poll::Ready(Err(attempt.too_late()));
            }
            Some(Uncalled::Waiting(waiting)) => {
                let Waiting {
                    mut service,
                    request,
                    header,
                } = *waiting;
                call::launch();
                let upload = Upload::of(request.body(), attempt.limits());
                let mut request = request.map(|body| Upload::wrap(&upload, body));
                patience::tell(&mut request, header.as_ref(), attempt.left(now));
                (service.call(request), upload)
            }
        };
        self.set(Self::Called { future, upload });
        Poll::Ready(Ok(()))
    }
}

impl<S, F, B> State<S, F, B> {
    /// Waits for whichever clock of the attempt ends first.
    #[inline(never)]
    fn poll_clocks(
        mut self: Pin<&mut Self>,
        attempt: &mut Attempt,
        timer: &mut Timer,
        cx: &mut Context<'_>,
    ) -> Poll<BoxError> {
        let error = ready!(self.as_mut().poll_alarms(attempt, timer, cx));
        // What has taken too long is cancelled now, and not when this future is dropped.
        let uncalled = Rare::NONE;
        self.set(Self::Uncalled { uncalled });
        Poll::Ready(error)
    }

    /// Says in the Call when the first of them ends.
    fn poll_alarms(
        self: Pin<&mut Self>,
        attempt: &mut Attempt,
        timer: &mut Timer,
        cx: &mut Context<'_>,
    ) -> Poll<BoxError> {
        let call = call::current();
        let (dispatch, mut upload) = match self.project() {
            StateProj::Called { upload, .. } => {
                attempt.begin(Instant::now);
                (call.map(|call| call.dispatch()), upload.as_mut())
            }
            StateProj::Uncalled { .. } => (Some(Dispatch::Waiting), None),
        };
        loop {
            let turn = upload.as_ref().map(|upload| upload.turn());
            let Some(alarm) = attempt.alarm(dispatch.unwrap_or_default(), turn) else {
                return Poll::Pending;
            };
            if timer.poll(alarm.at, cx).is_pending() {
                call::update(|call| call.set_timer(Some(alarm.at)));
                return Poll::Pending;
            }
            match (alarm.due, &mut upload) {
                (Due::Look, Some(upload)) => upload.look(Instant::now()),
                (Due::Look, None) => {}
                (Due::End(phase), _) => {
                    return Poll::Ready(attempt.elapsed(phase, call).into());
                }
            }
        }
    }
}

impl<S, F, B> fmt::Debug for TimeoutFuture<S, F, B> {
    /// How far it has got, and its clocks; neither the request nor the inner service.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            State::Called { .. } => "Called",
            State::Uncalled { uncalled } => match uncalled.get() {
                Some(Uncalled::Waiting(_)) => "Waiting",
                Some(Uncalled::Failed(_)) | None => "Failed",
            },
        };
        f.debug_struct("TimeoutFuture")
            .field("state", &state)
            .field("attempt", &self.attempt)
            .field("timer", &self.timer)
            .finish()
    }
}
