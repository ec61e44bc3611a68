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
use crate::run::{Plan, Run, Step};
use crate::{ReplayBody, RetryBody};

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
        run: Option<Run<B, R, P>>,
        // There as long as `run` is.
        scope: Option<Scope>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<F, B, R> {
        // Waits for the inner service, to call it with the request.
        Readying { request: Option<Request<ReplayBody<B>>> },
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
    P: Iterator<Item = Duration> + Clone,
{
    /// A call that is sent once, whatever comes.
    pub(crate) fn once(inner: &mut S, request: Request<ReplayBody<B>>) -> Self {
        let mut run = None;
        let (state, inner) = State::admit(inner, request, &mut run);
        Self {
            state,
            inner,
            run,
            scope: None,
        }
    }

    /// A call of a service that is switched off.
    pub(crate) fn off(future: S::Future) -> Self {
        Self {
            state: State::Called { future },
            inner: None,
            run: None,
            scope: None,
        }
    }
}

impl<S, B, R, P> RetryFuture<S, S::Future, B, R, P>
where
    S: Service<Request<ReplayBody<B>>, Response = Response<R>> + Clone,
    S::Error: Into<BoxError>,
    B: Body + Unpin,
    B::Error: Into<BoxError>,
    R: Body,
    P: Iterator<Item = Duration> + Clone,
{
    /// A call that may be sent again, or of which each attempt is shown.
    pub(crate) fn planned(
        inner: &mut S,
        plan: Plan,
        policy: &Arc<Policy<P>>,
        request: Request<B>,
    ) -> Self {
        let mut scope = Scope::join();
        let (state, inner, run) = scope.run(|| {
            if let Some(deadline) = request.extensions().get::<Deadline>() {
                call::update(|call| call.shorten(*deadline, Instant::now()));
            }
            let (head, body) = request.into_parts();
            let replay = if plan.attempts > 1 {
                Replay::new(body, &policy.memory)
            } else {
                Replay::Once(body)
            };
            let mut run = Run::new(plan, Arc::clone(policy), head, replay);
            let first = run.request();
            let mut run = Some(run);
            let (state, inner) = match first {
                Ok(request) => State::admit(inner, request, &mut run),
                Err(error) => (State::failed(error), None),
            };
            (state, inner, run)
        });
        Self {
            state,
            inner,
            run,
            scope: Some(scope),
        }
    }
}

impl<F, B, R: Body> State<F, B, R> {
    /// Makes the first attempt, at once when the inner service is ready. When it is not, takes the
    /// instance that was polled along and leaves a fresh clone: a readiness that was begun is never
    /// left behind.
    fn admit<S, P>(
        inner: &mut S,
        request: Request<ReplayBody<B>>,
        run: &mut Option<Run<B, R, P>>,
    ) -> (Self, Option<S>)
    where
        S: Service<Request<ReplayBody<B>>, Response = Response<R>, Future = F> + Clone,
        S::Error: Into<BoxError>,
        P: Iterator<Item = Duration> + Clone,
    {
        match inner.poll_ready(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(())) => {
                let future = send(inner, request, run.as_mut());
                (Self::Called { future }, run.as_ref().map(|_| inner.clone()))
            }
            Poll::Ready(Err(error)) => {
                // An instance that failed to become ready is dead (tower): a new one takes its place.
                let fresh = inner.clone();
                *inner = fresh;
                (Self::failed(error.into()), None)
            }
            Poll::Pending => {
                let fresh = inner.clone();
                (Self::readying(request), Some(mem::replace(inner, fresh)))
            }
        }
    }
}

/// Calls the inner service, which is ready. A retry layer further in keeps out of our attempts.
fn send<S, B, R, P>(
    inner: &mut S,
    request: Request<ReplayBody<B>>,
    run: Option<&mut Run<B, R, P>>,
) -> S::Future
where
    S: Service<Request<ReplayBody<B>>>,
    R: Body,
    P: Iterator<Item = Duration> + Clone,
{
    let Some(run) = run else {
        return inner.call(request);
    };
    run.launch();
    let future = inner.call(request);
    call::update(|call| call.set_repeated(false));
    future
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
        let Some(scope) = this.scope else {
            return this.state.poll(this.inner, this.run, cx);
        };
        let result = ready!(scope.run(|| this.state.poll(this.inner, this.run, cx)));
        // Nothing is kept for an attempt that does not come.
        *this.run = None;
        Poll::Ready(result)
    }
}

impl<F, B, R: Body> State<F, B, R> {
    fn readying(request: Request<ReplayBody<B>>) -> Self {
        let request = Some(request);
        Self::Readying { request }
    }

    fn failed(error: BoxError) -> Self {
        Self::Failed { error: Some(error) }
    }

    fn poll<S, P>(
        mut self: Pin<&mut Self>,
        inner: &mut Option<S>,
        run: &mut Option<Run<B, R, P>>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Response<RetryBody<R>>, BoxError>>
    where
        S: Service<Request<ReplayBody<B>>, Response = Response<R>, Future = F>,
        S::Error: Into<BoxError>,
        F: Future<Output = Result<Response<R>, S::Error>>,
        P: Iterator<Item = Duration> + Clone,
    {
        loop {
            let next = match (self.as_mut().project(), &mut *run) {
                (StateProj::Called { future }, None) => {
                    let response = ready!(future.poll(cx)).map_err(Into::into)?;
                    return Poll::Ready(Ok(response.map(RetryBody::live)));
                }
                (StateProj::Called { future }, Some(run)) => {
                    call::update(|call| call.set_repeated(true));
                    let polled = future.poll(cx);
                    call::update(|call| call.set_repeated(false));
                    match run.judge(ready!(polled).map_err(Into::into)) {
                        Step::Return(result) => return Poll::Ready(result),
                        Step::Again(Some(body)) => Self::Keeping { body },
                        Step::Again(None) => Self::Pausing,
                    }
                }
                (StateProj::Keeping { body }, Some(run)) => {
                    ready!(run.poll_keep(body, cx));
                    Self::Pausing
                }
                (StateProj::Pausing, Some(run)) => {
                    ready!(run.poll_pause(cx));
                    match run.request() {
                        Ok(request) => Self::readying(request),
                        Err(error) => Self::failed(error),
                    }
                }
                (StateProj::Readying { request }, run) => {
                    let Some(inner) = inner.as_mut() else {
                        return Poll::Pending;
                    };
                    if run.is_some() {
                        call::update(Call::hold);
                    }
                    match (ready!(inner.poll_ready(cx)), request.take()) {
                        (Ok(()), Some(request)) => Self::Called {
                            future: send(inner, request, run.as_mut()),
                        },
                        (Err(error), _) => Self::failed(error.into()),
                        (Ok(()), None) => return Poll::Pending,
                    }
                }
                (StateProj::Keeping { .. } | StateProj::Pausing, None) => return Poll::Pending,
                (StateProj::Failed { error }, run) => {
                    let Some(error) = error.take() else {
                        return Poll::Pending;
                    };
                    return Poll::Ready(match run {
                        Some(run) => run.give_up(error, Instant::now()),
                        None => Err(error),
                    });
                }
            };
            self.set(next);
        }
    }
}

impl<S, F, B, R: Body, P> fmt::Debug for RetryFuture<S, F, B, R, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let made = self.run.as_ref().map(Run::made);
        f.debug_struct("RetryFuture")
            .field("attempts", &made)
            .finish_non_exhaustive()
    }
}
