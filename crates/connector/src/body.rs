use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use crate::exchange::Exchange;
use crate::{ConnectorError, classify};

/// The body of an answer.
///
/// It holds the call's place on its connection until it is read to the end, fails or is dropped.
/// Dropped early it cancels the rest: an HTTP/2 stream is reset, an HTTP/1 connection is closed.
/// Frames, trailers and hints are the peer's, untouched. The default is an empty body.
#[derive(Default)]
#[must_use = "a response body that is dropped cancels what is left of the response"]
pub struct ConnBody {
    live: Option<Live>,
}

struct Live {
    incoming: Incoming,
    exchange: Exchange,
}

impl ConnBody {
    pub(crate) fn new(incoming: Incoming, exchange: Exchange) -> Self {
        if incoming.is_end_stream() {
            exchange.complete();
            return Self::default();
        }
        let live = Live { incoming, exchange };
        Self { live: Some(live) }
    }

    fn complete(&mut self) {
        if let Some(live) = self.live.take() {
            live.exchange.complete();
        }
    }
}

impl Body for ConnBody {
    type Data = Bytes;
    type Error = ConnectorError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ConnectorError>>> {
        let Some(live) = &mut self.live else {
            return Poll::Ready(None);
        };
        let frame = match ready!(Pin::new(&mut live.incoming).poll_frame(cx)) {
            Some(Ok(frame)) => {
                if frame.is_trailers() || live.incoming.is_end_stream() {
                    self.complete();
                }
                Some(Ok(frame))
            }
            Some(Err(error)) => {
                let callers = self.live.take().and_then(|live| live.exchange.failed());
                Some(Err(classify::response_body(error, callers)))
            }
            None => {
                self.complete();
                None
            }
        };
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.live.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        match &self.live {
            Some(live) => live.incoming.size_hint(),
            None => SizeHint::with_exact(0),
        }
    }
}

impl fmt::Debug for ConnBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnBody")
            .field("ended", &self.live.is_none())
            .finish()
    }
}
