use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::{Request, Response};
use http_body::Body;
use outrigger_core::call::Scope;
use outrigger_core::{BoxError, Classify};
use pin_project_lite::pin_project;
use tower_service::Service;

use crate::guard::Guard;
use crate::stage::Stage;
use crate::uncalled::Uncalled;
use crate::{Open, ResponseBody, judge};

pin_project! {
    /// The response future of [`BreakerService`](crate::BreakerService).
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<S, F, B, C> {
        // Dropped before the guard: what the inner service does meanwhile is still part of the call.
        #[pin]
        state: State<S, F, B>,
        // None in a layer that is switched off, of a refusal, and when the body has it.
        guard: Option<Guard>,
        scope: Scope,
        classify: C,
    }

    impl<S, F, B, C> PinnedDrop for ResponseFuture<S, F, B, C> {
        fn drop(this: Pin<&mut Self>) {
            if let Some(guard) = this.project().guard && guard.ticket.stage().is_out() {
                guard.note_if_late();
            }
        }
    }
}

pin_project! {
    #[project = StateProj]
    enum State<S, F, B> {
        // The call has not reached the inner service; where nothing is here, it is over.
        Uncalled { uncalled: Option<Uncalled<S, B>> },
        // The inner service has the request.
        Called { #[pin] future: F },
    }
}

impl<S, F, B, C> ResponseFuture<S, F, B, C> {
    /// The inner service has the request.
    #[inline(always)]
    pub(crate) fn called(future: F, guard: Guard, scope: Scope, classify: C) -> Self {
        Self {
            state: State::Called { future },
            guard: Some(guard),
            scope,
            classify,
        }
    }

    /// The inner service has the request, and nobody watches.
    #[inline(always)]
    pub(crate) fn unwatched(future: F, classify: C) -> Self {
        Self {
            state: State::Called { future },
            guard: None,
            scope: Scope::none(),
            classify,
        }
    }

    /// The inner service does not have the request yet, or never will.
    #[cold]
    pub(crate) fn uncalled(
        uncalled: Uncalled<S, B>,
        mut guard: Guard,
        scope: Scope,
        classify: C,
    ) -> Self {
        let uncalled = Some(uncalled);
        guard.hold();
        Self {
            state: State::Uncalled { uncalled },
            guard: Some(guard),
            scope,
            classify,
        }
    }

    /// The circuit refused at once.
    #[cold]
    pub(crate) fn refused(open: Open, classify: C) -> Self {
        let uncalled = Some(Uncalled::Failed(open.into()));
        Self {
            state: State::Uncalled { uncalled },
            guard: None,
            scope: Scope::none(),
            classify,
        }
    }
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
        if self.guard.is_some() {
            return self.poll_watched(cx);
        }
        match self.project().state.project() {
            StateProj::Called { future } => {
                let response = ready!(future.poll(cx)).map_err(Into::into)?;
                Poll::Ready(Ok(response.map(ResponseBody::unwatched)))
            }
            StateProj::Uncalled { uncalled } => match uncalled.take() {
                Some(Uncalled::Failed(error)) => Poll::Ready(Err(error)),
                _ => Poll::Pending,
            },
        }
    }
}

impl<S, B, C, R> ResponseFuture<S, S::Future, B, C>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Error: Into<BoxError>,
    C: Classify + Clone,
    R: Body,
{
    #[inline(never)]
    fn poll_watched(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Response<ResponseBody<R, C>>, BoxError>> {
        let mut this = self.project();
        let Some(guard) = this.guard else {
            return Poll::Pending;
        };
        let entered = this.scope.enter();
        if guard.is_held() {
            ready!(this.state.as_mut().poll_held(guard, this.classify, cx))?;
        }
        let StateProj::Called { future } = this.state.project() else {
            return Poll::Pending;
        };
        let response = match guard.run(|| future.poll(cx)) {
            Poll::Ready(Ok(response)) => response,
            Poll::Ready(Err(error)) => {
                let error = error.into();
                judge::failed(guard, this.classify, &error);
                return Poll::Ready(Err(error));
            }
            Poll::Pending => {
                guard.look();
                return Poll::Pending;
            }
        };
        let ended = judge::answered(guard, this.classify, &response);
        drop(entered);
        // Where there is more to learn, the body goes on with the ticket.
        let guard = match ended {
            true => None,
            false => this
                .guard
                .take_if(|guard| guard.ticket.stage() != Stage::ASIDE),
        };
        let ticket = guard.map(|guard| guard.ticket);
        let watched = |body| ResponseBody::watched(body, ticket, this.classify);
        Poll::Ready(Ok(response.map(watched)))
    }
}

impl<S, B> State<S, S::Future, B>
where
    S: Service<Request<B>>,
    S::Error: Into<BoxError>,
{
    /// Waits for the inner service and calls it, or asks once more whether what waits below it may go on.
    #[cold]
    fn poll_held(
        mut self: Pin<&mut Self>,
        guard: &mut Guard,
        classify: &impl Classify,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), BoxError>> {
        let result = match self.as_mut().project() {
            StateProj::Called { .. } => guard.recall().map_err(Into::into),
            StateProj::Uncalled { uncalled } => {
                let called = ready!(Uncalled::poll(uncalled, guard, classify, cx));
                called.map(|future| self.set(Self::Called { future }))
            }
        };
        if result.is_err() {
            // What is refused is cancelled now, and not when the response future is dropped: its place
            // before or in the inner service goes to another.
            self.set(Self::Uncalled { uncalled: None });
        }
        Poll::Ready(result)
    }
}

impl<S, F, B, C> fmt::Debug for ResponseFuture<S, F, B, C> {
    /// How far it has got; neither the request nor the inner service.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            State::Called { .. } => "Called",
            State::Uncalled { uncalled } => match uncalled {
                Some(Uncalled::Waiting(_)) => "Waiting",
                Some(Uncalled::Failed(_)) | None => "Failed",
            },
        };
        f.debug_struct("ResponseFuture")
            .field("state", &state)
            .field("guard", &self.guard)
            .finish_non_exhaustive()
    }
}
