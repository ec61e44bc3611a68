use std::fmt;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::{Request, Response};
use http_body::Body;
use outrigger_core::call::{self, Call};
use outrigger_core::{BoxError, Tracked};
use pin_project_lite::pin_project;
use tower_service::Service;

use super::error::Saturated;
use super::permit::{ConcurrencyBody, Permit};
use super::wait::Wait;

pin_project! {
    /// The response future of [`ConcurrencyService`](super::ConcurrencyService).
    #[must_use = "futures do nothing unless polled"]
    pub struct ConcurrencyFuture<S, F, B> {
        #[pin]
        state: State<S, F, B>,
        permit: Permit,
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

/// A call that the inner service does not have.
enum Uncalled<S, B> {
    /// It was refused, or the inner service failed to become ready.
    Failed(BoxError),
    /// It waits for a permit, and then for the inner service. In a box: most calls do not.
    Waiting(Box<Waiting<S, B>>),
}

/// A call that waits: the inner service is called with the request.
struct Waiting<S, B> {
    wait: Option<Wait>,
    limit: u32,
    service: S,
    request: Request<B>,
}

impl<S, F, B> ConcurrencyFuture<S, F, B> {
    /// A call that was made. Where the layer is off, it has no permit.
    #[inline]
    pub(super) fn called(future: F, permit: Permit) -> Self {
        Self {
            state: State::Called { future },
            permit,
        }
    }

    /// A call that is never made: it holds no permit, not even until it is polled.
    pub(super) fn failed(error: impl Into<BoxError>) -> Self {
        Self::uncalled(Uncalled::Failed(error.into()), Permit::none())
    }

    /// Waits for a permit, and then for a service of its own to become ready.
    pub(super) fn in_line(wait: Wait, limit: u32, service: S, request: Request<B>) -> Self {
        Self::wait(Some(wait), limit, service, request, Permit::none())
    }

    /// Has its permit, and waits for a service of its own to become ready.
    #[cold]
    pub(super) fn waiting(service: S, request: Request<B>, permit: Permit) -> Self {
        Self::wait(None, 0, service, request, permit)
    }

    fn wait(
        wait: Option<Wait>,
        limit: u32,
        service: S,
        request: Request<B>,
        permit: Permit,
    ) -> Self {
        call::update(Call::hold);
        let waiting = Box::new(Waiting {
            wait,
            limit,
            service,
            request,
        });
        Self::uncalled(Uncalled::Waiting(waiting), permit)
    }

    fn uncalled(uncalled: Uncalled<S, B>, permit: Permit) -> Self {
        let uncalled = Some(uncalled);
        Self {
            state: State::Uncalled { uncalled },
            permit,
        }
    }
}

impl<S, B, R> Future for ConcurrencyFuture<S, S::Future, B>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Error: Into<BoxError>,
    R: Body,
{
    type Output = Result<Response<ConcurrencyBody<R>>, BoxError>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if let StateProj::Uncalled { uncalled } = this.state.as_mut().project() {
            match ready!(Uncalled::poll(uncalled, this.permit, cx)) {
                Ok(future) => this.state.set(State::Called { future }),
                Err(error) => {
                    drop(mem::take(this.permit));
                    return Poll::Ready(Err(error));
                }
            }
        }
        let StateProj::Called { future } = this.state.project() else {
            return Poll::Pending;
        };
        // With an error the permit is given back here, with an answer at the end of its body.
        match future.poll(cx) {
            Poll::Ready(Ok(response)) => {
                let permit = mem::take(this.permit);
                Poll::Ready(Ok(response.map(|body| Tracked::new(body, permit))))
            }
            Poll::Ready(Err(error)) => {
                drop(mem::take(this.permit));
                Poll::Ready(Err(error.into()))
            }
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<S, B> Uncalled<S, B>
where
    S: Service<Request<B>>,
    S::Error: Into<BoxError>,
{
    /// Makes the call in time. What it needed for that is gone when it is made or has failed.
    #[cold]
    fn poll(
        this: &mut Option<Self>,
        permit: &mut Permit,
        cx: &mut Context<'_>,
    ) -> Poll<Result<S::Future, BoxError>> {
        let ready = match this {
            Some(Self::Waiting(waiting)) => ready!(waiting.poll(permit, cx)),
            Some(Self::Failed(_)) | None => Ok(()),
        };
        // Nothing is here any more when the inner service is called: should that panic, it is over.
        match this.take() {
            Some(Self::Waiting(waiting)) => Poll::Ready(ready.map(|()| waiting.call())),
            Some(Self::Failed(error)) => Poll::Ready(Err(error)),
            None => Poll::Pending,
        }
    }
}

impl<S, B> Waiting<S, B>
where
    S: Service<Request<B>>,
    S::Error: Into<BoxError>,
{
    /// Waits for the permit and for the inner service: now the call is to be made.
    fn poll(&mut self, permit: &mut Permit, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        if let Some(waiting) = &mut self.wait {
            let Some(given) = ready!(waiting.poll(cx)) else {
                return Poll::Ready(Err(Saturated::new(self.limit).into()));
            };
            *permit = given;
            self.wait = None;
        }
        self.service.poll_ready(cx).map_err(Into::into)
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

impl<S, F, B> fmt::Debug for ConcurrencyFuture<S, F, B> {
    /// How far it has got; neither the request nor the inner service.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            State::Called { .. } => "Called",
            State::Uncalled { uncalled } => match uncalled {
                Some(Uncalled::Waiting(waiting)) if waiting.wait.is_some() => "InLine",
                Some(Uncalled::Waiting(_)) => "Waiting",
                Some(Uncalled::Failed(_)) | None => "Failed",
            },
        };
        f.debug_struct("ConcurrencyFuture")
            .field("state", &state)
            .finish_non_exhaustive()
    }
}
