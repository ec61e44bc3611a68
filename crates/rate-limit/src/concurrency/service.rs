use std::mem;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use http::{Request, Response};
use http_body::Body;
use outrigger_core::{BoxError, call};
use tokio::time::Instant;
use tower_service::Service;

use super::error::Saturated;
use super::future::ConcurrencyFuture;
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

impl Gates {
    /// The most calls that wait for the same limit.
    fn room(&self) -> usize {
        if self.max_wait.is_zero() {
            0
        } else {
            self.room
        }
    }
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
    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        match self.gates {
            Some(_) => Poll::Ready(Ok(())),
            None => self.inner.poll_ready(cx).map_err(Into::into),
        }
    }

    #[inline]
    fn call(&mut self, request: Request<B>) -> Self::Future {
        match &self.gates {
            Some(gates) => admit(request, gates, &mut self.inner),
            None => called(request, Permit::none(), &mut self.inner),
        }
    }
}

/// Makes a call now, or when it has a permit.
#[inline]
fn admit<S, B>(
    request: Request<B>,
    gates: &Gates,
    inner: &mut S,
) -> ConcurrencyFuture<S, S::Future, B>
where
    S: Service<Request<B>> + Clone,
    S::Error: Into<BoxError>,
{
    let Some(gate) = gates.table.known(&request) else {
        return read(request, gates, inner);
    };
    match gate.enter(gates.room()) {
        Entrance::Open => enter(request, Permit::new(gate), inner),
        other => line(other, gate, request, gates, inner),
    }
}

/// Calls the inner service at once when it is ready. When it is not, takes the instance that was polled
/// along and leaves a fresh clone: a readiness that was begun is never left behind.
#[inline(always)] // out of line it copies the request once more
fn enter<S, B>(
    request: Request<B>,
    permit: Permit,
    inner: &mut S,
) -> ConcurrencyFuture<S, S::Future, B>
where
    S: Service<Request<B>> + Clone,
    S::Error: Into<BoxError>,
{
    match inner.poll_ready(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Ok(())) => {
            // Told even where nothing was held back: a later attempt of the call may be.
            call::launch();
            called(request, permit, inner)
        }
        Poll::Ready(Err(error)) => {
            // An instance that failed to become ready is dead (tower): a new one takes its place.
            drop(renew(inner));
            ConcurrencyFuture::failed(error)
        }
        Poll::Pending => ConcurrencyFuture::waiting(renew(inner), request, permit),
    }
}

/// Calls the inner service. The request is taken apart for it: so until here it is read where it is, and
/// copied once; handed on whole, it would first be copied for `call`, too.
#[inline(always)]
fn called<S: Service<Request<B>>, B>(
    request: Request<B>,
    permit: Permit,
    inner: &mut S,
) -> ConcurrencyFuture<S, S::Future, B> {
    ConcurrencyFuture::called(inner.call(request.map(|body| body)), permit)
}

/// Makes a call whose limit must be looked for: in what a function of the user makes of its head, or as that
/// of an endpoint that has none yet or is spelled in a way of its own.
#[cold]
fn read<S, B>(
    request: Request<B>,
    gates: &Gates,
    inner: &mut S,
) -> ConcurrencyFuture<S, S::Future, B>
where
    S: Service<Request<B>> + Clone,
    S::Error: Into<BoxError>,
{
    let (head, body) = request.into_parts();
    let gate = gates.table.of_head(&head, || Gate::new(gates.limit));
    let request = Request::from_parts(head, body);
    match gate.enter(gates.room()) {
        Entrance::Open => enter(request, Permit::new(gate), inner),
        other => line(other, gate, request, gates, inner),
    }
}

/// Has a call wait that has no permit, or refuses it.
#[cold]
fn line<S, B>(
    entrance: Entrance,
    gate: Arc<Gate>,
    request: Request<B>,
    gates: &Gates,
    inner: &S,
) -> ConcurrencyFuture<S, S::Future, B>
where
    S: Service<Request<B>> + Clone,
{
    let limit = gates.limit.get();
    match entrance {
        Entrance::Line(place) => {
            let latest = Instant::now().checked_add(gates.max_wait);
            let wait = Wait::new(gate, place, latest);
            ConcurrencyFuture::in_line(wait, limit, inner.clone(), request)
        }
        Entrance::Open | Entrance::Full => ConcurrencyFuture::failed(Saturated::new(limit)),
    }
}

/// Takes the instance that was polled, and leaves a fresh clone.
fn renew<S: Clone>(inner: &mut S) -> S {
    let fresh = inner.clone();
    mem::replace(inner, fresh)
}
