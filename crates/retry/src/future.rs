use std::fmt;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use http::{Request, Response};
use http_body::Body;
use outrigger_core::call::{self, Call, Scope};
use outrigger_core::{BoxError, Deadline};
use pin_project_lite::pin_project;
use tokio::time::Instant;
use tower_service::Service;

use crate::policy::Policy;
use crate::replay::Replay;
use crate::run::{Plan, Pristine, Run};
use crate::{ReplayBody, RetryBody, Rewind};

pin_project! {
    /// The response future of [`RetryService`](crate::RetryService).
    #[must_use = "futures do nothing unless polled"]
    pub struct RetryFuture<S, F, B, R, P>
    where
        R: Body,
    {
        #[pin]
        state: State<F, B, R>,
        // The instance that is called next, where one may be.
        inner: Option<S>,
        // None when nothing is to be known of the call but its answer.
        planned: Option<Planned<B, R, P>>,
    }
}

/// A call that may be sent again.
struct Planned<B, R: Body, P> {
    run: Run<B, R, P>,
    scope: Scope,
}

pin_project! {
    #[project = StateProj]
    enum State<F, B, R> {
        // Waits for the inner service, to call it with the request. In a box, because few calls wait
        // here and all would be as large as this.
        Readying { request: Option<Box<Request<ReplayBody<B>>>> },
        // The inner service has the request.
        Called { #[pin] future: F },
        // An answer is read before the pause.
        Keeping { #[pin] body: R },
        // Waits for the next attempt.
        Pausing,
        // No attempt can be made.
        Failed { error: Option<BoxError> },
    }
}

impl<S, B, R, P> RetryFuture<S, S::Future, B, R, P>
where
    S: Service<Request<ReplayBody<B>>, Response = Response<R>> + Clone,
    S::Error: Into<BoxError>,
    R: Body,
{
    /// A call of a service that is switched off.
    #[inline]
    pub(crate) fn off(future: S::Future) -> Self {
        Self {
            state: State::Called { future },
            inner: None,
            planned: None,
        }
    }

    /// A call that is sent once, whatever comes.
    #[inline]
    pub(crate) fn once(inner: &mut S, request: Request<ReplayBody<B>>) -> Self {
        match poll_ready(inner) {
            Poll::Ready(Ok(())) => Self::off(inner.call(request)),
            Poll::Ready(Err(error)) => Self {
                state: State::failed(error),
                inner: None,
                planned: None,
            },
            Poll::Pending => Self {
                state: State::readying(request),
                inner: Some(take_polled(inner)),
                planned: None,
            },
        }
    }
}

impl<S, B, R, P> RetryFuture<S, S::Future, B, R, P>
where
    S: Service<Request<ReplayBody<B>>, Response = Response<R>> + Clone,
    S::Error: Into<BoxError>,
    B: Body + Unpin + 'static,
    B::Error: Into<BoxError>,
    R: Body,
    P: Iterator<Item = Duration> + Clone,
{
    /// A call that may be sent again, or of which each attempt is shown.
    #[inline]
    pub(crate) fn planned(
        inner: &mut S,
        plan: Plan,
        policy: &Arc<Policy<P>>,
        request: Request<B>,
    ) -> Self {
        let opened = Scope::open();
        if let Some(deadline) = request.extensions().get::<Deadline>() {
            call::update(|call| call.shorten(*deadline, Instant::now()));
        }
        let rewind = request.extensions().get::<Rewind<B>>().cloned();
        let head = Pristine::of(&request);
        let (mut parts, body) = request.into_parts();
        let (replay, body) = if plan.is_once() {
            (Replay::Gone, ReplayBody::direct(body))
        } else {
            Replay::new(body, rewind, &policy.memory)
        };
        policy.settings.number(&mut parts.headers, 1);
        let request = Request::from_parts(parts, body);
        let ready = poll_ready(inner);
        let made = u32::from(matches!(ready, Poll::Ready(Ok(()))));
        let (state, inner) = match ready {
            Poll::Ready(Ok(())) => {
                let future = send(inner, request);
                (State::Called { future }, Some(inner.clone()))
            }
            Poll::Ready(Err(error)) => (State::failed(error), None),
            Poll::Pending => (State::readying(request), Some(take_polled(inner))),
        };
        Self {
            state,
            inner,
            planned: Some(Planned {
                run: Run::new(plan, Arc::clone(policy), head, replay, made),
                scope: opened.close(),
            }),
        }
    }
}

/// Makes an attempt. A retry layer further in keeps out of it.
#[inline]
fn send<S: Service<Q>, Q>(inner: &mut S, request: Q) -> S::Future {
    call::update(|call| {
        call.begin_attempt();
        call.launch();
        call.set_repeated(true);
    });
    let future = inner.call(request);
    call::update(|call| call.set_repeated(false));
    future
}

/// Asks the inner service whether it is ready now; if not, nobody is woken.
#[inline]
fn poll_ready<S, Q>(inner: &mut S) -> Poll<Result<(), BoxError>>
where
    S: Service<Q> + Clone,
    S::Error: Into<BoxError>,
{
    let mut context = Context::from_waker(Waker::noop());
    let polled = inner.poll_ready(&mut context).map_err(Into::into);
    if let Poll::Ready(Err(_)) = polled {
        // An instance that failed to become ready is dead (tower): a new one takes its place.
        take_polled(inner);
    }
    polled
}

/// Takes the instance that was polled along and leaves a fresh clone: a readiness that was begun is
/// never left behind.
fn take_polled<S: Clone>(inner: &mut S) -> S {
    let fresh = inner.clone();
    mem::replace(inner, fresh)
}

impl<S, B, R, P> Future for RetryFuture<S, S::Future, B, R, P>
where
    S: Service<Request<ReplayBody<B>>, Response = Response<R>>,
    S::Error: Into<BoxError>,
    R: Body,
    P: Iterator<Item = Duration> + Clone,
{
    type Output = Result<Response<RetryBody<R>>, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let Some(Planned { run, scope }) = this.planned else {
            let response = ready!(this.state.poll_once(this.inner, cx))?;
            return Poll::Ready(Ok(response.map(RetryBody::live)));
        };
        let entered = scope.enter();
        let polled = this.state.poll(this.inner, run, cx);
        drop(entered);
        if polled.is_ready() {
            // Nothing is kept for an attempt that does not come.
            *this.planned = None;
        }
        polled
    }
}

impl<F, B, R> State<F, B, R> {
    fn readying(request: Request<ReplayBody<B>>) -> Self {
        let request = Some(Box::new(request));
        Self::Readying { request }
    }

    fn failed(error: BoxError) -> Self {
        Self::Failed { error: Some(error) }
    }

    fn poll_once<S>(
        mut self: Pin<&mut Self>,
        inner: &mut Option<S>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Response<R>, BoxError>>
    where
        S: Service<Request<ReplayBody<B>>, Response = Response<R>, Future = F>,
        S::Error: Into<BoxError>,
        F: Future<Output = Result<Response<R>, S::Error>>,
    {
        loop {
            let called = match self.as_mut().project() {
                StateProj::Called { future } => return future.poll(cx).map_err(Into::into),
                StateProj::Readying { request } => {
                    let Some(inner) = inner.as_mut() else {
                        return Poll::Pending;
                    };
                    ready!(inner.poll_ready(cx)).map_err(Into::into)?;
                    let Some(request) = request.take() else {
                        return Poll::Pending;
                    };
                    Self::Called {
                        future: inner.call(*request),
                    }
                }
                StateProj::Failed { error } => {
                    return error
                        .take()
                        .map_or(Poll::Pending, |error| Poll::Ready(Err(error)));
                }
                StateProj::Keeping { .. } | StateProj::Pausing => return Poll::Pending,
            };
            self.set(called);
        }
    }

    fn poll<S, P>(
        mut self: Pin<&mut Self>,
        inner: &mut Option<S>,
        run: &mut Run<B, R, P>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Response<RetryBody<R>>, BoxError>>
    where
        S: Service<Request<ReplayBody<B>>, Response = Response<R>, Future = F>,
        S::Error: Into<BoxError>,
        F: Future<Output = Result<Response<R>, S::Error>>,
        R: Body,
        P: Iterator<Item = Duration> + Clone,
    {
        loop {
            let next = match self.as_mut().project() {
                StateProj::Called { future } => {
                    call::update(|call| call.set_repeated(true));
                    let polled = future.poll(cx);
                    call::update(|call| call.set_repeated(false));
                    match ready!(polled) {
                        Ok(response) if run.is_final(&response) => {
                            return Poll::Ready(Ok(run.respond(response)));
                        }
                        Ok(response) => match run.keep(response) {
                            Some(body) => Self::Keeping { body },
                            None => Self::Pausing,
                        },
                        Err(error) => match run.failed(error.into()) {
                            Some(result) => return Poll::Ready(result),
                            None => Self::Pausing,
                        },
                    }
                }
                StateProj::Keeping { body } => {
                    ready!(run.poll_keep(body, cx));
                    Self::Pausing
                }
                StateProj::Pausing => {
                    ready!(run.poll_pause(cx));
                    match run.request() {
                        Ok(request) => Self::readying(request),
                        Err(error) => Self::failed(error),
                    }
                }
                StateProj::Readying { request } => {
                    let Some(inner) = inner.as_mut() else {
                        return Poll::Pending;
                    };
                    call::update(Call::hold);
                    match (ready!(inner.poll_ready(cx)), request.take()) {
                        (Err(error), _) => Self::failed(error.into()),
                        (Ok(()), None) => return Poll::Pending,
                        (Ok(()), Some(request)) => {
                            run.launch();
                            let future = send(inner, *request);
                            Self::Called { future }
                        }
                    }
                }
                StateProj::Failed { error } => {
                    let Some(error) = error.take() else {
                        return Poll::Pending;
                    };
                    return Poll::Ready(run.give_up(error, Instant::now()));
                }
            };
            self.set(next);
        }
    }
}

impl<S, F, B, R: Body, P> fmt::Debug for RetryFuture<S, F, B, R, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let made = self.planned.as_ref().map(|planned| planned.run.made());
        f.debug_struct("RetryFuture")
            .field("attempts", &made)
            .finish_non_exhaustive()
    }
}
