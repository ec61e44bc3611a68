use std::task::{Context, Poll, Waker};

use http::{HeaderName, Request};
use outrigger_core::BoxError;
use tower_service::Service;

use crate::renew;

/// A call that has not reached the inner service.
pub(crate) enum Uncalled<S, B> {
    /// The inner service was not ready. In a box, because few calls wait here and all would be as large
    /// as this.
    Waiting(Box<Waiting<S, B>>),
    /// Too little was left of the deadline, or the inner service failed to become ready.
    Failed(BoxError),
}

/// An inner service that is polled until it is ready, and then called with the request.
pub(crate) struct Waiting<S, B> {
    pub(crate) service: S,
    pub(crate) request: Request<B>,
    /// The header that tells the server what is left.
    pub(crate) header: Option<HeaderName>,
}

/// Why a call does not reach the inner service at once.
pub(crate) enum Hindrance<E> {
    /// Too little is left of the deadline.
    Late,
    /// The inner service failed to become ready.
    Dead(E),
    /// The inner service is not ready.
    Busy,
}

impl<E> Hindrance<E> {
    /// Asks the inner service whether it is ready now; if not, nobody is woken. Where it is `late` that
    /// one is not asked: it must not be left ready and uncalled.
    #[inline(always)]
    pub(crate) fn of<S, Q>(late: bool, inner: &mut S) -> Option<Self>
    where
        S: Service<Q, Error = E>,
    {
        if late {
            return Some(Self::Late);
        }
        match inner.poll_ready(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(())) => None,
            Poll::Ready(Err(error)) => Some(Self::Dead(error)),
            Poll::Pending => Some(Self::Busy),
        }
    }
}

impl<S: Clone, B> Uncalled<S, B> {
    /// A call that does not reach `inner` now.
    #[cold]
    pub(crate) fn new<E: Into<BoxError>>(
        hindrance: Hindrance<E>,
        late: impl FnOnce() -> BoxError,
        inner: &mut S,
        request: Request<B>,
        header: Option<&HeaderName>,
    ) -> Self {
        match hindrance {
            Hindrance::Late => Self::Failed(late()),
            Hindrance::Dead(error) => {
                // An instance that failed to become ready is dead (tower): a new one takes its place.
                drop(renew(inner));
                Self::Failed(error.into())
            }
            // A readiness that was begun is never left behind: the instance that was polled comes along.
            Hindrance::Busy => Self::Waiting(Box::new(Waiting {
                service: renew(inner),
                request,
                header: header.cloned(),
            })),
        }
    }
}
