use std::num::NonZeroU32;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Request, Response};
use http_body::Body;
use outrigger_core::BoxError;
use tokio::time::Instant;
use tower_service::Service;

use super::error::Saturated;
use super::future::{ConcurrencyFuture, State};
use super::gate::{Entrance, Gate};
use super::handle::ConcurrencyHandle;
use super::permit::{ConcurrencyBody, Permit};
use super::wait::Wait;
use crate::table::Table;

/// The service of [`ConcurrencyLayer`](super::ConcurrencyLayer).
#[derive(Clone, Debug)]
pub struct ConcurrencyService<S> {
    inner: S,
    gates: Option<Arc<Gates>>,
}

/// The gates of all keys, shared by the clones of one service.
#[derive(Debug)]
pub(super) struct Gates {
    pub(super) table: Table<Gate>,
    pub(super) limit: NonZeroU32,
    pub(super) max_wait: Duration,
    pub(super) room: usize,
}

impl<S> ConcurrencyService<S> {
    pub(super) fn new(inner: S, gates: Option<Arc<Gates>>) -> Self {
        Self { inner, gates }
    }

    /// Shows how the limits of this service and its clones stand. Switched off, it has none.
    pub fn handle(&self) -> ConcurrencyHandle {
        let handle = ConcurrencyHandle::new();
        self.gates.iter().for_each(|gates| handle.attach(gates));
        handle
    }
}

impl<S, B, R> Service<Request<B>> for ConcurrencyService<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone,
    S::Error: Into<BoxError>,
    R: Body,
{
    type Response = Response<ConcurrencyBody<R>>;
    type Error = BoxError;
    type Future = ConcurrencyFuture<S, S::Future, B>;

    /// Always ready: the waits for a permit and for the inner service are part of the call. Switched
    /// off, the inner service's own readiness.
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        match self.gates {
            Some(_) => Poll::Ready(Ok(())),
            None => self.inner.poll_ready(cx).map_err(Into::into),
        }
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        match &self.gates {
            Some(gates) => gates.admit(&mut self.inner, request),
            None => ConcurrencyFuture::off(self.inner.call(request)),
        }
    }
}

impl Gates {
    fn admit<S, B>(&self, inner: &mut S, request: Request<B>) -> ConcurrencyFuture<S, S::Future, B>
    where
        S: Service<Request<B>> + Clone,
        S::Error: Into<BoxError>,
    {
        let (gate, request) = self.of(request);
        let room = if self.max_wait.is_zero() {
            0
        } else {
            self.room
        };
        match gate.enter(room) {
            Entrance::Open => {
                let permit = Permit::new(gate);
                ConcurrencyFuture::new(State::admit(inner, request), permit)
            }
            Entrance::Line(place) => {
                let latest = Instant::now().checked_add(self.max_wait);
                let wait = Wait::new(gate, place, latest);
                let state = State::line(wait, self.limit.get(), inner.clone(), request);
                ConcurrencyFuture::new(state, Permit::none())
            }
            Entrance::Full => {
                let saturated = Saturated::new(self.limit.get());
                ConcurrencyFuture::new(State::failed(saturated), Permit::none())
            }
        }
    }

    fn of<B>(&self, request: Request<B>) -> (Arc<Gate>, Request<B>) {
        let fresh = || Gate::new(self.limit);
        if let Some(gate) = self.table.of(&request, fresh) {
            return (gate, request);
        }
        let (head, body) = request.into_parts();
        let gate = self.table.of_head(&head, fresh);
        (gate, Request::from_parts(head, body))
    }
}
