use std::task::{Context, Poll, Waker};

use http::{HeaderName, Request};
use outrigger_core::{BoxError, Deadline, call};
use tokio::time::Instant;
use tower_service::Service;

use super::attempt::Attempt;
use super::limits::Limits;
use crate::renew;

/// A call that has not reached the inner service.
pub(super) enum Uncalled<S, B> {
    /// The inner service was not ready. In a box, because few calls wait here and all would be as large
    /// as this.
    Waiting(Box<Waiting<S, B>>),
    /// Too little was left of the deadline, or the inner service failed to become ready.
    Failed(BoxError),
}

/// An inner service that is polled until it is ready, and then called with the request.
pub(super) struct Waiting<S, B> {
    pub(super) service: S,
    pub(super) request: Request<B>,
    pub(super) header: Option<HeaderName>,
}

/// Why a call does not reach the inner service at once.
pub(super) enum Hindrance<E> {
    /// Too little is left of the deadline.
    Late,
    /// The inner service failed to become ready.
    Dead(E),
    /// The inner service is not ready.
    Busy,
}

impl<E> Hindrance<E> {
    /// Asks the inner service whether it is ready now; if not, nobody is woken.
    #[inline(always)]
    pub(super) fn of<S, Q>(
        limits: &Limits,
        deadline: Option<Deadline>,
        inner: &mut S,
    ) -> Option<Self>
    where
        S: Service<Q, Error = E>,
    {
        // Before the inner service is asked: that must not be left ready and uncalled.
        if deadline.is_some_and(|deadline| limits.leave_none(deadline, Instant::now())) {
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
    #[cold]
    pub(super) fn new<E: Into<BoxError>>(
        hindrance: Hindrance<E>,
        attempt: &Attempt,
        inner: &mut S,
        request: Request<B>,
        header: Option<&HeaderName>,
    ) -> Self {
        // How long the call may take in all is known from now on.
        if let Some(deadline) = attempt.deadline() {
            call::update(|call| call.shorten(deadline, Instant::now()));
        }
        match hindrance {
            Hindrance::Late => Self::Failed(attempt.too_late()),
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
