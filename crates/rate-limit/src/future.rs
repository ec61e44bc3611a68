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
        // The call was refused, or the inner service failed to become ready.
        Failed { error: Option<BoxError> },
        // It waits for its tokens, and then for the inner service. In a box: most calls do not.
        Waiting { waiting: Box<Waiting<S, B>> },
        // The inner service has the request.
        Called { #[pin] future: F },
    }
}

/// A call that waits: the inner service is called with the request.
struct Waiting<S, B> {
    wait: Wait,
    service: S,
    request: Option<Request<B>>,
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
        let error = Some(error.into());
        Self {
            state: State::Failed { error },
            gone: None,
        }
    }

    #[cold]
    pub(crate) fn waiting(wait: Wait, service: S, request: Request<B>) -> Self {
        call::update(Call::hold);
        let request = Some(request);
        let waiting = Box::new(Waiting {
            wait,
            service,
            request,
        });
        Self {
            state: State::Waiting { waiting },
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
        loop {
            if let StateProj::Called { future } = this.state.as_mut().project() {
                let result = ready!(future.poll(cx));
                if let (Ok(response), Some(gone)) = (&result, &this.gone) {
                    gone.entry.heed(response, gone.at);
                }
                return Poll::Ready(result.map_err(Into::into));
            }
            match ready!(this.state.as_mut().wait(cx)) {
                Ok((future, made)) => {
                    *this.gone = made;
                    this.state.set(State::Called { future });
                }
                Err(error) => {
                    // A readiness that is not used goes now, and not when this future is dropped.
                    this.state.set(State::Failed { error: None });
                    return Poll::Ready(Err(error));
                }
            }
        }
    }
}

impl<S, B> State<S, S::Future, B>
where
    S: Service<Request<B>> + Clone,
    S::Error: Into<BoxError>,
{
    /// Waits for the tokens and for the inner service, and makes the call.
    #[cold]
    fn wait(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<Made<S::Future>, BoxError>> {
        let Waiting {
            wait,
            service,
            request,
        } = match self.project() {
            StateProj::Waiting { waiting } => &mut **waiting,
            StateProj::Failed { error } => {
                return error
                    .take()
                    .map_or(Poll::Pending, |error| Poll::Ready(Err(error)));
            }
            StateProj::Called { .. } => return Poll::Pending,
        };
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
            let Some(request) = request.take() else {
                return Poll::Pending;
            };
            let entry = Arc::clone(wait.entry());
            let gone = (wait.cost() > 0).then_some(Gone { entry, at });
            call::update(Call::launch);
            return Poll::Ready(Ok((service.call(request), gone)));
        }
    }
}

impl<S, F, B> fmt::Debug for RateLimitFuture<S, F, B> {
    /// How far it has got; neither the request nor the inner service.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self.state {
            State::Failed { .. } => "Failed",
            State::Waiting { .. } => "Waiting",
            State::Called { .. } => "Called",
        };
        f.debug_struct("RateLimitFuture")
            .field("state", &state)
            .finish_non_exhaustive()
    }
}
