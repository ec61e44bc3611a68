use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::{Request, Response};
use outrigger_core::BoxError;
use outrigger_core::call::{self, Call};
use pin_project_lite::pin_project;
use tower_service::Service;

use crate::entry::Entry;
use crate::rare::Rare;
use crate::wait::Wait;

pin_project! {
    /// The response future of [`RateLimitService`](crate::RateLimitService).
    #[must_use = "futures do nothing unless polled"]
    pub struct RateLimitFuture<S, F, B> {
        #[pin]
        state: State<S, F, B>,
        gone: Option<Gone>,
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

/// A call that the inner service does not have.
enum Uncalled<S, B> {
    /// It was refused, or the inner service failed to become ready.
    Failed(BoxError),
    /// It waits for its tokens, and then for the inner service. In a box: most calls do not.
    Waiting(Box<Waiting<S, B>>),
}

/// A call that waits: the inner service is called with the request.
struct Waiting<S, B> {
    wait: Wait,
    service: S,
    request: Request<B>,
}

/// A call that went: under which limit, and when.
#[derive(Debug)]
pub(crate) struct Gone {
    pub(crate) entry: Arc<Entry>,
    pub(crate) at: u64,
}

/// A call that was made: its future, and what its answer changes.
type Made<F> = (F, Option<Gone>);

impl<S, F, B> RateLimitFuture<S, F, B> {
    pub(crate) fn failed(error: impl Into<BoxError>) -> Self {
        Self::uncalled(Uncalled::Failed(error.into()))
    }

    #[cold]
    pub(crate) fn waiting(wait: Wait, service: S, request: Request<B>) -> Self {
        call::update(Call::hold);
        let waiting = Box::new(Waiting {
            wait,
            service,
            request,
        });
        Self::uncalled(Uncalled::Waiting(waiting))
    }

    fn uncalled(uncalled: Uncalled<S, B>) -> Self {
        let uncalled = Rare::some(uncalled);
        Self {
            state: State::Uncalled { uncalled },
            gone: None,
        }
    }

    /// A call that was made. The answer to one that is not limited changes no limit.
    #[inline]
    pub(crate) fn called(future: F, gone: Option<Gone>) -> Self {
        Self {
            state: State::Called { future },
            gone,
        }
    }
}

impl<S, B, R> Future for RateLimitFuture<S, S::Future, B>
where
    S: Service<Request<B>, Response = Response<R>> + Clone,
    S::Error: Into<BoxError>,
{
    type Output = Result<Response<R>, BoxError>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if let StateProj::Uncalled { uncalled } = this.state.as_mut().project() {
            let (future, gone) = ready!(uncalled.poll(cx))?;
            *this.gone = gone;
            this.state.set(State::Called { future });
        }
        let StateProj::Called { future } = this.state.project() else {
            return Poll::Pending;
        };
        match future.poll(cx) {
            Poll::Ready(Ok(response)) => {
                if let Some(gone) = this.gone {
                    gone.entry.heed(&response, gone.at);
                }
                Poll::Ready(Ok(response))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<S, B> Rare<Uncalled<S, B>>
where
    S: Service<Request<B>> + Clone,
    S::Error: Into<BoxError>,
{
    /// Makes the call in time. What it needed for that is gone when it is made or has failed.
    #[cold]
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Made<S::Future>, BoxError>> {
        let gone = match self.get_mut() {
            Some(Uncalled::Waiting(waiting)) => ready!(waiting.poll(cx)),
            Some(Uncalled::Failed(_)) | None => Ok(None),
        };
        // Nothing is here any more when the inner service is called: should that panic, it is over.
        match self.take() {
            Some(Uncalled::Waiting(waiting)) => {
                Poll::Ready(gone.map(|gone| (waiting.call(), gone)))
            }
            Some(Uncalled::Failed(error)) => Poll::Ready(Err(error)),
            None => Poll::Pending,
        }
    }
}

impl<S, B> Waiting<S, B>
where
    S: Service<Request<B>> + Clone,
    S::Error: Into<BoxError>,
{
    /// Waits for the inner service and for the tokens, and takes them: now the call is to be made.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Gone>, BoxError>> {
        let Self { wait, service, .. } = self;
        loop {
            ready!(wait.poll(cx))?;
            let Poll::Ready(ready) = service.poll_ready(cx) else {
                wait.step_out();
                return Poll::Pending;
            };
            ready.map_err(Into::into)?;
            let Some(at) = wait.take()? else {
                // Nothing is held while it waits again, the inner service's readiness least.
                let fresh = service.clone();
                *service = fresh;
                continue;
            };
            let entry = Arc::clone(wait.entry());
            let gone = (wait.cost() > 0).then_some(Gone { entry, at });
            return Poll::Ready(Ok(gone));
        }
    }

    /// Makes the call.
    fn call(self) -> S::Future {
        let Self {
            mut service,
            request,
            ..
        } = self;
        call::launch();
        service.call(request)
    }
}

impl<S, F, B> fmt::Debug for RateLimitFuture<S, F, B> {
    /// How far it has got; neither the request nor the inner service.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            State::Called { .. } => "Called",
            State::Uncalled { uncalled } => match uncalled.get() {
                Some(Uncalled::Waiting(_)) => "Waiting",
                Some(Uncalled::Failed(_)) | None => "Failed",
            },
        };
        f.debug_struct("RateLimitFuture")
            .field("state", &state)
            .finish_non_exhaustive()
    }
}
