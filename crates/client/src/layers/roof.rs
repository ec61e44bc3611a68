use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use outrigger_core::BoxError;
use outrigger_core::call::{self, Scope};
use pin_project_lite::pin_project;
use tower::Service;

use crate::Error;

/// The outermost service of the default stack: what fails below it comes out as an [`Error`].
///
/// A call through it is a logical call of its own, also one that is made within another, as by a layer
/// that fetches a token with a client of its own: of that one it has the deadline, and keeps out where that
/// one is repeated, or attempts would multiply. It tells it nothing.
///
/// `MapErr` would name [`BoxError`] in the type of the stack, and with it a lifetime that rustc loses sight
/// of in a spawned future (rust-lang/rust#110338).
#[derive(Clone, Debug)]
pub struct Roof<S> {
    inner: S,
}

impl<S> Roof<S> {
    pub(crate) fn new(inner: S) -> Self {
        Self { inner }
    }
}

impl<S, Req, R> Service<Req> for Roof<S>
where
    S: Service<Req, Response = R, Error = BoxError>,
{
    type Response = R;
    type Error = Error;
    type Future = RoofFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.inner.poll_ready(cx).map_err(Error::from)
    }

    fn call(&mut self, request: Req) -> Self::Future {
        let repeated = call::current().is_some_and(|call| call.is_repeated());
        let mut scope = Scope::begin();
        let future = scope.run(|| {
            call::update(|call| call.set_repeated(repeated));
            self.inner.call(request)
        });
        RoofFuture { future, scope }
    }
}

pin_project! {
    /// The response future of [`Roof`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct RoofFuture<F> {
        #[pin]
        future: F,
        scope: Scope,
    }
}

impl<F, R> Future for RoofFuture<F>
where
    F: Future<Output = Result<R, BoxError>>,
{
    type Output = Result<R, Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let _entered = this.scope.enter();
        this.future.poll(cx).map_err(Error::from)
    }
}
