use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::{HeaderName, Request, Response};
use http_body::Body;
use outrigger_core::BoxError;
use outrigger_core::call::{self, Call, Scope};
use pin_project_lite::pin_project;
use tokio::time::Instant;
use tower_service::Service;

use super::attempt::{Attempt, Due};
use super::upload::Upload;
use crate::timer::Timer;
use crate::{RequestBody, ResponseBody, renew};

pin_project! {
    /// The response future of [`TimeoutService`](crate::TimeoutService).
    #[must_use = "futures do nothing unless polled"]
    pub struct TimeoutFuture<S, F, B> {
        #[pin]
        state: State<S, F, B>,
        watch: Option<Watch>,
    }
}

pin_project! {
    #[project = StateProj]
    pub(super) enum State<S, F, B> {
        // The inner service was not ready: it is polled here, and then called with the request.
        Waiting { service: S, request: Option<Request<B>>, header: Option<HeaderName> },
        // Too little was left of the deadline, or the inner service failed to become ready.
        Failed { error: Option<BoxError> },
        // The inner service has the request.
        Called { #[pin] future: F, upload: Option<Upload> },
    }
}

/// What an attempt is watched with; a layer that is switched off has none.
#[derive(Debug)]
struct Watch {
    attempt: Attempt,
    scope: Scope,
    timer: Timer,
}

impl<S, F, B> TimeoutFuture<S, F, B> {
    #[inline(always)]
    pub(super) fn new(state: State<S, F, B>, attempt: Attempt, scope: Scope) -> Self {
        let timer = Timer::default();
        Self {
            state,
            watch: Some(Watch {
                attempt,
                scope,
                timer,
            }),
        }
    }

    pub(super) fn off(future: F) -> Self {
        Self {
            state: State::Called {
                future,
                upload: None,
            },
            watch: None,
        }
    }
}

impl<S, B> State<S, S::Future, B>
where
    S: Service<Request<RequestBody<B>>>,
    S::Error: Into<BoxError>,
    B: Body,
{
    fn poll_off(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<S::Response, BoxError>> {
        match self.project() {
            StateProj::Called { future, .. } => future.poll(cx).map_err(Into::into),
            _ => Poll::Pending,
        }
    }

    fn poll(
        mut self: Pin<&mut Self>,
        attempt: &mut Attempt,
        cx: &mut Context<'_>,
    ) -> Poll<Result<S::Response, BoxError>> {
        loop {
            let called = match self.as_mut().project() {
                StateProj::Called { future, .. } => return future.poll(cx).map_err(Into::into),
                StateProj::Failed { error } => {
                    return error
                        .take()
                        .map_or(Poll::Pending, |error| Poll::Ready(Err(error)));
                }
                StateProj::Waiting {
                    service,
                    request,
                    header,
                } => {
                    call::update(Call::hold);
                    ready!(service.poll_ready(cx)).map_err(Into::into)?;
                    let now = Instant::now();
                    if attempt.is_too_late(now) {
                        return Poll::Ready(Err(attempt.too_late()));
                    }
                    let Some(mut request) = request.take() else {
                        return Poll::Pending;
                    };
                    attempt.begin(now);
                    let upload = Upload::launch(&mut request, attempt, header.as_ref());
                    let future = service.call(request.map(|body| Upload::wrap(&upload, body)));
                    Self::Called { future, upload }
                }
            };
            self.set(called);
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

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let Some(Watch {
            attempt,
            scope,
            timer,
        }) = this.watch
        else {
            let response = ready!(this.state.poll_off(cx))?;
            return Poll::Ready(Ok(response.map(ResponseBody::unwatched)));
        };
        let _entered = scope.enter();
        let response = match this.state.as_mut().poll(attempt, cx) {
            Poll::Ready(result) => result?,
            Poll::Pending => {
                let error = ready!(this.state.as_mut().poll_clocks(attempt, timer, cx));
                // What has taken too long is cancelled now, and not when this future is dropped.
                this.state.set(State::Failed { error: None });
                return Poll::Ready(Err(error));
            }
        };
        let idle = attempt.body_idle();
        Poll::Ready(Ok(response.map(|body| ResponseBody::idle(body, idle))))
    }
}

impl<S, F, B> State<S, F, B> {
    #[cold]
    pub(super) fn failed(error: BoxError) -> Self {
        Self::Failed { error: Some(error) }
    }

    /// Takes along the instance that was polled: a readiness that was begun is never left behind.
    #[cold]
    pub(super) fn wait(inner: &mut S, request: Request<B>, header: Option<&HeaderName>) -> Self
    where
        S: Clone,
    {
        Self::Waiting {
            service: renew(inner),
            request: Some(request),
            header: header.cloned(),
        }
    }

    /// Waits for whichever clock of the attempt ends first, and says in the Call when that will be.
    fn poll_clocks(
        self: Pin<&mut Self>,
        attempt: &Attempt,
        timer: &mut Timer,
        cx: &mut Context<'_>,
    ) -> Poll<BoxError> {
        let call = call::current();
        let dispatch = call.map(|call| call.dispatch()).unwrap_or_default();
        let mut upload = match self.project() {
            StateProj::Called { upload, .. } => upload.as_mut(),
            _ => None,
        };
        loop {
            let (turn, looked) = Upload::turn(upload.as_deref(), attempt.begun());
            let Some(alarm) = attempt.alarm(dispatch, turn, looked) else {
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
        let state = match self.state {
            State::Waiting { .. } => "Waiting",
            State::Failed { .. } => "Failed",
            State::Called { .. } => "Called",
        };
        f.debug_struct("TimeoutFuture")
            .field("state", &state)
            .field("watch", &self.watch)
            .finish()
    }
}
