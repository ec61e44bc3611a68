use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response, StatusCode};
use http_body::Body;
use hyper::body::Incoming;
use outrigger_core::call::{self, Dispatch};
use outrigger_core::{BoxError, Endpoint};
use tokio::time::Instant;

use crate::dial::Dial;
use crate::exchange::Exchange;
use crate::request_body::RequestBody;
use crate::shared::{Granted, Shared};
use crate::{ConnBody, ConnectorError, classify};

/// How often a request that came back unsent goes to another connection.
const MOVES: usize = 3;

/// The future of a call through a [`Connector`](crate::Connector).
#[must_use = "futures do nothing unless polled"]
pub struct ResponseFuture {
    // hyper's future cannot be named.
    response: Pin<Box<dyn Future<Output = Result<Response<ConnBody>, ConnectorError>> + Send>>,
}

impl ResponseFuture {
    pub(crate) fn new<B, D>(shared: Arc<Shared<B, D>>, request: Request<B>) -> Self
    where
        B: Body<Data: Send, Error: Into<BoxError>> + Send + Unpin + 'static,
        D: Dial + Clone + Send + 'static,
    {
        Self {
            response: Box::pin(respond(shared, request.map(RequestBody::new))),
        }
    }
}

impl Future for ResponseFuture {
    type Output = Result<Response<ConnBody>, ConnectorError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.response.as_mut().poll(cx)
    }
}

impl fmt::Debug for ResponseFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}

/// Sends a request, moving it to another connection while it comes back unsent.
async fn respond<B, D>(
    shared: Arc<Shared<B, D>>,
    mut request: Request<RequestBody<B>>,
) -> Result<Response<ConnBody>, ConnectorError>
where
    B: Body<Data: Send, Error: Into<BoxError>> + Send + Unpin + 'static,
    D: Dial + Clone + Send + 'static,
{
    let mut moves = 0;
    loop {
        let Granted { mut permit, link } = match shared.place(request.uri())? {
            Ok(granted) => granted,
            Err(waiting) => {
                let granted = waiting.granted().await;
                granted.map_err(|error| error.at(Endpoint::of(request.uri()).ok()))?
            }
        };
        let now = Instant::now();
        permit.sent(now, link.answers());
        let exchange = request.body_mut().begin(permit);
        call::update(|call| call.report(Dispatch::Sent(now)));
        let endpoint = link.endpoint().clone();
        let (error, returned) = match link.send(request).await {
            Ok(response) => return Ok(answer(response, exchange)),
            Err(unanswered) => unanswered,
        };
        let callers = exchange.failed();
        let Some(back) = returned else {
            return Err(classify::exchange(error, callers).at(Some(endpoint)));
        };
        call::update(|call| call.report(Dispatch::Waiting));
        if moves == MOVES {
            return Err(classify::returned(error).at(Some(endpoint)));
        }
        moves += 1;
        request = back;
    }
}

/// The answer to the caller, its body holding the place on the connection.
fn answer(response: Response<Incoming>, exchange: Exchange) -> Response<ConnBody> {
    exchange.permit().answered();
    if response.status() == StatusCode::MISDIRECTED_REQUEST {
        // The next attempt must not meet the same connection (RFC 9110 §15.5.20).
        exchange.permit().misdirected();
    }
    response.map(|body| ConnBody::new(body, exchange))
}
