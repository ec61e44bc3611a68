use std::mem;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use http::{Request, Response};
use outrigger_core::{BoxError, Deadline, call, inbound};
use tower_service::Service;

use crate::entry::Entry;
use crate::future::{Gone, RateLimitFuture};
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
            Some(limits) => send(request, limits, &mut self.inner),
            None => pass(request, &mut self.inner),
        }
    }
}

// What follows takes the request apart where it hands it on. So it is read where it is and copied once;
// handed on whole, it would first be copied for these functions, too.

/// Makes a call without any limit.
#[inline]
fn pass<S: Service<Request<B>>, B>(
    request: Request<B>,
    inner: &mut S,
) -> RateLimitFuture<S, S::Future, B> {
    RateLimitFuture::called(inner.call(request.map(|body| body)), None)
}

/// Makes a call now, or when it is its turn.
#[inline]
fn send<S, B>(
    request: Request<B>,
    limits: &Limits,
    inner: &mut S,
) -> RateLimitFuture<S, S::Future, B>
where
    S: Service<Request<B>> + Clone,
    S::Error: Into<BoxError>,
{
    let Some(entry) = limits.known(&request) else {
        return read(request, limits, inner);
    };
    let now = entry.now();
    match ask(&entry, 1, now, inner) {
        Ask::Go => {
            // Told even where nothing was held back: a later attempt of the call may be.
            call::launch();
            let gone = Some(Gone { entry, at: now });
            RateLimitFuture::called(inner.call(request.map(|body| body)), gone)
        }
        other => not_now(other, entry, 1, now, inner, request),
    }
}

/// What becomes of a call that asks.
enum Ask {
    /// Its tokens are taken, and the inner service is ready.
    Go,
    /// There are no tokens for it now.
    Line,
    /// The inner service is not ready.
    Unready,
    /// The inner service is dead.
    Failed(BoxError),
}

/// Asks for tokens and for the inner service's readiness, and takes both or none.
#[inline(always)]
fn ask<S, B>(entry: &Entry, cost: u32, now: u64, inner: &mut S) -> Ask
where
    S: Service<Request<B>> + Clone,
    S::Error: Into<BoxError>,
{
    if !entry.limiter.is_free(now, cost) {
        return Ask::Line;
    }
    match inner.poll_ready(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Ok(())) if entry.limiter.take(now, cost).is_ok() => Ask::Go,
        Poll::Ready(Ok(())) => {
            // Another call was quicker. Who waits holds nothing: the readiness goes with its instance.
            drop(renew(inner));
            Ask::Line
        }
        Poll::Ready(Err(error)) => {
            // An instance that failed to become ready is dead (tower): a new one takes its place.
            drop(renew(inner));
            Ask::Failed(error.into())
        }
        Poll::Pending => Ask::Unready,
    }
}

/// Makes a call whose limit must be looked for: in what a function of the user makes of its head, or as that
/// of an endpoint that has none yet or is spelled in a way of its own.
#[cold]
fn read<S, B>(
    request: Request<B>,
    limits: &Limits,
    inner: &mut S,
) -> RateLimitFuture<S, S::Future, B>
where
    S: Service<Request<B>> + Clone,
    S::Error: Into<BoxError>,
{
    let (head, body) = request.into_parts();
    let (entry, cost) = limits.of_head(&head);
    let burst = entry.rules.quota.burst_size().get();
    if cost > burst {
        return RateLimitFuture::failed(NeverFits::new(cost, burst));
    }
    let now = entry.now();
    let request = Request::from_parts(head, body);
    match ask(&entry, cost, now, inner) {
        Ask::Go => {
            call::launch();
            let gone = (cost > 0).then_some(Gone { entry, at: now });
            RateLimitFuture::called(inner.call(request), gone)
        }
        other => not_now(other, entry, cost, now, inner, request),
    }
}

/// Has a call wait that cannot go now, or refuses it.
#[cold]
fn not_now<S, B>(
    ask: Ask,
    entry: Arc<Entry>,
    cost: u32,
    now: u64,
    inner: &mut S,
    request: Request<B>,
) -> RateLimitFuture<S, S::Future, B>
where
    S: Service<Request<B>> + Clone,
{
    let request = request.map(|body| body);
    let mut wait = Wait::new(entry, cost, deadline_of(&request));
    match ask {
        Ask::Failed(error) => RateLimitFuture::failed(error),
        // The wait it has begun is its own: the instance that was polled goes along.
        Ask::Unready | Ask::Go => RateLimitFuture::waiting(wait, renew(inner), request),
        Ask::Line => match wait.line_up(now) {
            Ok(()) => RateLimitFuture::waiting(wait, inner.clone(), request),
            Err(limited) => RateLimitFuture::failed(limited),
        },
    }
}

/// Takes the instance that was polled, and leaves a fresh clone.
fn renew<S: Clone>(inner: &mut S) -> S {
    let fresh = inner.clone();
    mem::replace(inner, fresh)
}

/// The instant after which nobody wants the answer, of all that is known here.
fn deadline_of<B>(request: &Request<B>) -> Option<Deadline> {
    let own = request.extensions().get::<Deadline>().copied();
    Deadline::earliest(
        Deadline::earliest(call::deadline(), own),
        inbound::deadline(),
    )
}
