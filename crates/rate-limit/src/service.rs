use std::mem;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use http::{Request, Response};
use outrigger_core::call::{self, Call};
use outrigger_core::{BoxError, Deadline, inbound};
use tokio::time::Instant;
use tower_service::Service;

use crate::entry::Entry;
use crate::future::RateLimitFuture;
use crate::limits::Limits;
use crate::wait::Wait;
use crate::{NeverFits, RateLimitHandle};

/// The service of [`RateLimitLayer`](crate::RateLimitLayer).
#[derive(Clone, Debug)]
pub struct RateLimitService<S> {
    inner: S,
    limits: Option<Arc<Limits>>,
}

impl<S> RateLimitService<S> {
    pub(crate) fn new(inner: S, limits: Option<Arc<Limits>>) -> Self {
        Self { inner, limits }
    }

    /// Shows how the limits of this service and its clones stand. Switched off, it has none.
    pub fn handle(&self) -> RateLimitHandle {
        let handle = RateLimitHandle::new();
        self.limits.iter().for_each(|limits| handle.attach(limits));
        handle
    }
}

impl<S, B, R> Service<Request<B>> for RateLimitService<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone,
    S::Error: Into<BoxError>,
{
    type Response = Response<R>;
    type Error = BoxError;
    type Future = RateLimitFuture<S, S::Future, B>;

    /// Always ready: the waits for a token and for the inner service are part of the call. Switched off,
    /// the inner service's own readiness.
    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        match self.limits {
            Some(_) => Poll::Ready(Ok(())),
            None => self.inner.poll_ready(cx).map_err(Into::into),
        }
    }

    #[inline]
    fn call(&mut self, request: Request<B>) -> Self::Future {
        match &self.limits {
            Some(limits) => limit(limits, &mut self.inner, request),
            None => RateLimitFuture::off(self.inner.call(request)),
        }
    }
}

/// Makes a call now, or when it is its turn.
#[inline(always)]
fn limit<S, B>(
    limits: &Limits,
    inner: &mut S,
    request: Request<B>,
) -> RateLimitFuture<S, S::Future, B>
where
    S: Service<Request<B>> + Clone,
    S::Error: Into<BoxError>,
{
    let now = Instant::now();
    match limits.of(&request, now) {
        Some(entry) => {
            let now = entry.rules.told(now);
            send(entry, 1, now, inner, request)
        }
        None => read(limits, now, inner, request),
    }
}

/// Makes a call whose limit and cost functions of the user read off its head.
#[cold]
fn read<S, B>(
    limits: &Limits,
    now: Instant,
    inner: &mut S,
    request: Request<B>,
) -> RateLimitFuture<S, S::Future, B>
where
    S: Service<Request<B>> + Clone,
    S::Error: Into<BoxError>,
{
    let (head, body) = request.into_parts();
    let (entry, cost) = limits.of_head(&head, now);
    let burst = entry.rules.quota.burst_size().get();
    if cost > burst {
        return RateLimitFuture::failed(NeverFits::new(cost, burst));
    }
    let now = entry.rules.told(now);
    send(entry, cost, now, inner, Request::from_parts(head, body))
}

/// Makes a call of this cost now, or when it is its turn.
#[inline(always)]
fn send<S, B>(
    entry: Arc<Entry>,
    cost: u32,
    now: u64,
    inner: &mut S,
    request: Request<B>,
) -> RateLimitFuture<S, S::Future, B>
where
    S: Service<Request<B>> + Clone,
    S::Error: Into<BoxError>,
{
    if !entry.limiter.is_free(now, cost) {
        return line_up(entry, cost, now, inner, request);
    }
    match inner.poll_ready(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Ok(())) if entry.limiter.take(now, cost).is_ok() => {
            // Told even where nothing was held back: a later attempt of the call may be.
            call::update(Call::launch);
            RateLimitFuture::called(inner.call(request), entry, cost, now)
        }
        Poll::Ready(Ok(())) => {
            // Another call was quicker. Who waits holds nothing: the readiness goes with its instance.
            drop(renew(inner));
            line_up(entry, cost, now, inner, request)
        }
        Poll::Ready(Err(error)) => {
            // An instance that failed to become ready is dead (tower): a new one takes its place.
            drop(renew(inner));
            RateLimitFuture::failed(error)
        }
        Poll::Pending => {
            let wait = Wait::new(entry, cost, deadline_of(&request));
            RateLimitFuture::waiting(wait, renew(inner), request)
        }
    }
}

/// Has a call wait for its turn, or refuses it at once.
#[cold]
fn line_up<S, B>(
    entry: Arc<Entry>,
    cost: u32,
    now: u64,
    inner: &S,
    request: Request<B>,
) -> RateLimitFuture<S, S::Future, B>
where
    S: Service<Request<B>> + Clone,
{
    let mut wait = Wait::new(entry, cost, deadline_of(&request));
    match wait.line_up(now) {
        Ok(()) => RateLimitFuture::waiting(wait, inner.clone(), request),
        Err(limited) => RateLimitFuture::failed(limited),
    }
}

/// Takes the instance that was polled, and leaves a fresh clone.
fn renew<S: Clone>(inner: &mut S) -> S {
    let fresh = inner.clone();
    mem::replace(inner, fresh)
}

/// The instant after which nobody wants the answer, of all that is known here.
fn deadline_of<B>(request: &Request<B>) -> Option<Deadline> {
    let call = call::current().and_then(|call| call.deadline());
    let own = request.extensions().get::<Deadline>().copied();
    Deadline::earliest(Deadline::earliest(call, own), inbound::deadline())
}
