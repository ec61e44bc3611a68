//! Two services that tell each other whether a request was dispatched, in three ways.

use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use http::Request;
use outrigger_core::call::{self, Dispatch, Scope};
use tower::Service;

use crate::Instant;

/// How the outermost layer and the transport speak.
pub trait Wire {
    type Held;
    fn open<B>(request: &mut Request<B>) -> Self::Held;
    fn within<R>(held: &mut Self::Held, f: impl FnOnce() -> R) -> R;
    fn report<B>(request: &Request<B>);
    fn dispatched(held: &mut Self::Held) -> bool;
}

/// They tell each other nothing: what the two services cost by themselves.
#[derive(Debug)]
pub struct Nothing;

impl Wire for Nothing {
    type Held = ();
    fn open<B>(_: &mut Request<B>) {}
    fn within<R>(_: &mut (), f: impl FnOnce() -> R) -> R {
        f()
    }
    fn report<B>(_: &Request<B>) {}
    fn dispatched(_: &mut ()) -> bool {
        true
    }
}

/// Through `core::call`, as built.
#[derive(Debug)]
pub struct ByScope;

impl Wire for ByScope {
    type Held = Scope;
    fn open<B>(_: &mut Request<B>) -> Scope {
        Scope::join()
    }
    fn within<R>(scope: &mut Scope, f: impl FnOnce() -> R) -> R {
        scope.run(f)
    }
    fn report<B>(_: &Request<B>) {
        call::update(|call| call.report(Dispatch::Waiting));
    }
    fn dispatched(scope: &mut Scope) -> bool {
        scope
            .call()
            .is_some_and(|call| call.dispatch() == Dispatch::Waiting)
    }
}

/// The place in the request's extensions where the transport reports.
#[derive(Clone, Debug)]
pub struct Told(Arc<AtomicBool>);

/// Through one `Arc` in the request's extensions.
#[derive(Debug)]
pub struct ByExtension;

impl Wire for ByExtension {
    type Held = Told;
    fn open<B>(request: &mut Request<B>) -> Told {
        let told = Told(Arc::new(AtomicBool::new(false)));
        request.extensions_mut().insert(told.clone());
        told
    }
    fn within<R>(_: &mut Told, f: impl FnOnce() -> R) -> R {
        f()
    }
    fn report<B>(request: &Request<B>) {
        if let Some(told) = request.extensions().get::<Told>() {
            told.0.store(true, Ordering::Relaxed);
        }
    }
    fn dispatched(told: &mut Told) -> bool {
        told.0.load(Ordering::Relaxed)
    }
}

/// The outermost layer: learns whether its request was dispatched.
#[derive(Debug)]
pub struct Outer<W, S>(S, PhantomData<W>);

/// The innermost service: reports the dispatch and answers at once.
#[derive(Debug)]
pub struct Transport<W>(PhantomData<W>);

/// The future of [`Outer`].
#[derive(Debug)]
pub struct OuterFuture<W: Wire, F>(W::Held, F);

/// The two, one over the other.
pub fn stack<W: Wire>() -> Outer<W, Transport<W>> {
    Outer(Transport(PhantomData), PhantomData)
}

impl<W: Wire, S: Service<Request<B>>, B> Service<Request<B>> for Outer<W, S>
where
    W::Held: Unpin,
    S::Future: Unpin,
{
    type Response = (S::Response, bool);
    type Error = S::Error;
    type Future = OuterFuture<W, S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let mut held = W::open(&mut request);
        let future = W::within(&mut held, || self.0.call(request));
        OuterFuture(held, future)
    }
}

impl<W: Wire, F: Future<Output = Result<R, E>> + Unpin, R, E> Future for OuterFuture<W, F>
where
    W::Held: Unpin,
{
    type Output = Result<(R, bool), E>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self(held, future) = &mut *self;
        let Poll::Ready(response) = W::within(held, || Pin::new(future).poll(cx)) else {
            return Poll::Pending;
        };
        let dispatched = W::dispatched(held);
        Poll::Ready(response.map(|response| (response, dispatched)))
    }
}

impl<W: Wire, B> Service<Request<B>> for Transport<W> {
    type Response = <Instant as Service<Request<B>>>::Response;
    type Error = <Instant as Service<Request<B>>>::Error;
    type Future = <Instant as Service<Request<B>>>::Future;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        W::report(&request);
        Instant.call(request)
    }
}
