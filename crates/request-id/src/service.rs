use std::task::{Context, Poll};

use http::{Request, Response};
use outrigger_core::RequestId;
use tower_service::Service;

use crate::future::RequestIdFuture;
use crate::ids::Ids;

/// The service of [`RequestIdLayer`](crate::RequestIdLayer).
#[derive(Clone, Debug)]
pub struct RequestIdService<S> {
    inner: S,
    ids: Option<Ids>,
    response_extension: bool,
}

impl<S> RequestIdService<S> {
    pub(crate) fn new(inner: S, ids: Option<Ids>, response_extension: bool) -> Self {
        Self {
            inner,
            ids,
            response_extension,
        }
    }
}

impl<S, B, R> Service<Request<B>> for RequestIdService<S>
where
    S: Service<Request<B>, Response = Response<R>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = RequestIdFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    #[inline]
    fn call(&mut self, request: Request<B>) -> Self::Future {
        let Some(ids) = &self.ids else {
            return RequestIdFuture::new(self.inner.call(request), None);
        };
        let mut request = request; // not in the signature: it would be copied for the other branch too
        let told = ids
            .settle(&mut request)
            .filter(|_| self.response_extension)
            .map(|value| RequestId::trusted(value.clone()));
        RequestIdFuture::new(self.inner.call(request), told)
    }
}
