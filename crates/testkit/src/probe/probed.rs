use std::{
    fmt,
    sync::Arc,
    task::{Context, Poll, ready},
};

use tower_service::Service;

use super::{ResponseFuture, flight::Flight, reservation::Reservation, state::Shared};
use crate::BoxError;

/// A service watched by a [`ContractProbe`](super::ContractProbe). A clone is a new, unready instance.
pub struct Probed<S> {
    inner: S,
    shared: Arc<Shared>,
    instance: u64,
    reservation: Option<Reservation>,
    failed: bool,
}

impl<S> Probed<S> {
    pub(super) fn new(inner: S, shared: Arc<Shared>) -> Self {
        let instance = shared.new_instance();
        Self {
            inner,
            shared,
            instance,
            reservation: None,
            failed: false,
        }
    }

    fn fail(&mut self, error: BoxError) -> Poll<Result<(), BoxError>> {
        self.reservation = None;
        self.failed = true;
        Poll::Ready(Err(error))
    }
}

impl<S, Req> Service<Req> for Probed<S>
where
    S: Service<Req>,
    S::Error: Into<BoxError>,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        if self.failed && !self.shared.tolerates_polls_after_error() {
            self.shared
                .violated("poll_ready was called again after it had returned an error");
        }
        // Ready stays ready until the call, so the test's orders are for those who are not.
        if self.reservation.is_none()
            && let Err(error) = ready!(self.shared.ordered(self.instance, cx.waker()))
        {
            return self.fail(error);
        }
        match self.inner.poll_ready(cx) {
            Poll::Ready(Ok(())) => {
                self.failed = false;
                self.reservation
                    .get_or_insert_with(|| Reservation::new(&self.shared));
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Err(error)) => self.fail(error.into()),
            Poll::Pending => {
                self.reservation = None;
                Poll::Pending
            }
        }
    }

    fn call(&mut self, request: Req) -> Self::Future {
        match self.reservation.take() {
            Some(reservation) => reservation.finish(),
            None if self.failed => self
                .shared
                .violated("call followed an error from poll_ready"),
            None => self
                .shared
                .violated("call without a fresh Ready from poll_ready of this instance"),
        }
        let flight = Flight::new(&self.shared);
        ResponseFuture::new(self.inner.call(request), flight, Arc::clone(&self.shared))
    }
}

impl<S: Clone> Clone for Probed<S> {
    fn clone(&self) -> Self {
        Self::new(self.inner.clone(), Arc::clone(&self.shared))
    }
}

impl<S> Drop for Probed<S> {
    fn drop(&mut self) {
        self.shared.forget(self.instance);
    }
}

impl<S: fmt::Debug> fmt::Debug for Probed<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Probed")
            .field("inner", &self.inner)
            .field("ready", &self.reservation.is_some())
            .field("failed", &self.failed)
            .finish_non_exhaustive()
    }
}
