use std::mem;
use std::task::{Context, Poll, ready};

use http::Request;
use outrigger_core::call::{self, Call};
use outrigger_core::{BoxError, Classify};
use tower_service::Service;

use crate::guard::Guard;
use crate::{Open, judge};

/// A call that has not reached the inner service.
pub(crate) enum Uncalled<S, B> {
    /// The inner service was not ready. In a box, because few calls wait here and all would be as large
    /// as this.
    Waiting(Box<Waiting<S, B>>),
    /// The circuit refused, or the inner service failed to become ready.
    Failed(BoxError),
}

/// An inner service that is polled until it is ready, and then called with the request.
pub(crate) struct Waiting<S, B> {
    service: S,
    request: Request<B>,
}

/// Why a call does not reach the inner service at once.
pub(crate) enum Hindrance {
    /// The inner service is not ready.
    Busy,
    /// It failed to become ready.
    Dead(BoxError),
    /// The circuit refuses.
    Open(Open),
}

impl<S: Clone, B> Uncalled<S, B> {
    /// A call that does not reach `inner` now.
    #[cold]
    pub(crate) fn new(
        hindrance: Hindrance,
        inner: &mut S,
        request: Request<B>,
        guard: &mut Guard,
        classify: &impl Classify,
    ) -> Self {
        // A readiness that was begun is never left behind: the instance that was polled comes along, and
        // where no call is made, what it holds goes back with it. One that failed is dead (tower).
        let fresh = inner.clone();
        let service = mem::replace(inner, fresh);
        match hindrance {
            Hindrance::Busy => {
                call::update(Call::hold);
                Self::Waiting(Box::new(Waiting { service, request }))
            }
            Hindrance::Dead(error) => {
                judge::unready(guard, classify, &error);
                Self::Failed(error)
            }
            Hindrance::Open(open) => Self::Failed(open.into()),
        }
    }
}

impl<S, B> Uncalled<S, B>
where
    S: Service<Request<B>>,
    S::Error: Into<BoxError>,
{
    /// Waits for the inner service, and makes the call when the circuit admits it. `None` in its place
    /// when it is over.
    #[cold]
    pub(crate) fn poll(
        this: &mut Option<Self>,
        guard: &mut Guard,
        classify: &impl Classify,
        cx: &mut Context<'_>,
    ) -> Poll<Result<S::Future, BoxError>> {
        if let Some(Self::Waiting(waiting)) = this {
            call::update(Call::hold);
            guard.check()?;
            if let Err(error) = ready!(waiting.service.poll_ready(cx)) {
                let error = error.into();
                judge::unready(guard, classify, &error);
                return Poll::Ready(Err(error));
            }
            guard.admit()?;
        }
        match this.take() {
            None => Poll::Pending,
            Some(Self::Failed(error)) => Poll::Ready(Err(error)),
            Some(Self::Waiting(waiting)) => {
                let Waiting {
                    mut service,
                    request,
                } = *waiting;
                call::launch();
                Poll::Ready(Ok(guard.run(|| service.call(request))))
            }
        }
    }
}
