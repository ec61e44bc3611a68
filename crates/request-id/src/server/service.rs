use std::task::{Context, Poll};

use http::header::HeaderName;
use http::{Request, Response};
use outrigger_core::inbound::{self, Inbound};
use outrigger_core::{Deadline, RequestId};
use tower_service::Service;

use super::future::InboundFuture;
use super::patience;
use crate::ids::Ids;

/// The service of [`InboundLayer`](crate::InboundLayer).
#[derive(Clone, Debug)]
pub struct InboundService<S> {
    inner: S,
    ids: Option<Ids>,
    deadline_header: Option<HeaderName>,
    echo: bool,
}

impl<S> InboundService<S> {
    pub(crate) fn new(
        inner: S,
        ids: Option<Ids>,
        deadline_header: Option<HeaderName>,
        echo: bool,
    ) -> Self {
        Self {
            inner,
            ids,
            deadline_header,
            echo,
        }
    }

    /// What the handler's outbound calls are to know of a request, which is left telling the same.
    fn receive<B>(&self, ids: &Ids, request: &mut Request<B>) -> Inbound {
        let patience = patience::stated(request.headers(), self.deadline_header.as_ref());
        let request_id = ids
            .settle(request)
            .map(|value| RequestId::trusted(value.clone()));
        if let Some(id) = &request_id {
            request.extensions_mut().insert(id.clone());
        }
        Inbound {
            request_id,
            deadline: Deadline::earliest(patience.map(Deadline::within), inbound::deadline()),
        }
    }
}

impl<S, B, R> Service<Request<B>> for InboundService<S>
where
    S: Service<Request<B>, Response = Response<R>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = InboundFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    #[inline]
    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let Some(ids) = &self.ids else {
            return InboundFuture::outside(self.inner.call(request));
        };
        let mut scope = self.receive(ids, &mut request);
        let echo = self.echo.then(|| ids.header.clone());
        let inner = inbound::enter(&mut scope, || self.inner.call(request));
        InboundFuture::within(inner, scope, echo)
    }
}
