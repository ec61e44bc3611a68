use std::task::{Context, Poll};

use outrigger_core::BoxError;
use tower::Service;
use tower::util::MapErr;

use crate::Error;

/// The outermost service of the default stack: what fails below it comes out as an [`Error`].
///
/// `MapErr` alone would name [`BoxError`] in the type of the stack, and with it a lifetime that rustc
/// loses sight of in a spawned future (rust-lang/rust#110338).
#[derive(Clone, Debug)]
pub struct Roof<S> {
    inner: S,
}

impl<S> Roof<S> {
    pub(crate) fn new(inner: S) -> Self {
        Self { inner }
    }
}

impl<S, Req> Service<Req> for Roof<S>
where
    S: Service<Req, Error = BoxError>,
{
    type Response = S::Response;
    type Error = Error;
    type Future = <MapErr<S, fn(BoxError) -> Error> as Service<Req>>::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.inner.poll_ready(cx).map_err(Error::from)
    }

    fn call(&mut self, request: Req) -> Self::Future {
        let mapped: fn(BoxError) -> Error = Error::from;
        MapErr::new(&mut self.inner, mapped).call(request)
    }
}
