use std::{
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use h2::{Reason, RecvStream, SendStream, server::SendResponse};
use http::{HeaderValue, Response, header::CONTENT_LENGTH};
use http_body::{Body as _, Frame};
use http_body_util::BodyExt;

use crate::{Body, BoxError, raw::Code};

/// The body of a request on an HTTP/2 stream. What is read makes room for more at once.
pub(super) struct Received {
    stream: RecvStream,
    data_ended: bool,
}

impl Received {
    pub(super) fn new(stream: RecvStream) -> Self {
        Self {
            stream,
            data_ended: false,
        }
    }
}

impl http_body::Body for Received {
    type Data = Bytes;
    type Error = h2::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, h2::Error>>> {
        if !self.data_ended {
            if let Some(data) = ready!(self.stream.poll_data(cx)).transpose()? {
                self.stream.flow_control().release_capacity(data.len())?;
                return Poll::Ready(Some(Ok(Frame::data(data))));
            }
            self.data_ended = true;
        }
        let trailers = ready!(self.stream.poll_trailers(cx))?;
        Poll::Ready(trailers.map(|trailers| Ok(Frame::trailers(trailers))))
    }
}

/// Sends a response. If its body fails, returns the stream and how to reset it: with the body's
/// [`Code`], if it is one.
pub(super) async fn send(
    mut respond: SendResponse<Bytes>,
    response: Response<Body>,
    head_only: bool,
) -> Result<Option<(SendStream<Bytes>, Reason)>, h2::Error> {
    let (mut head, mut body) = response.into_parts();
    if let Some(len) = body.size_hint().exact() {
        head.headers
            .entry(CONTENT_LENGTH)
            .or_insert_with(|| HeaderValue::from(len));
    }
    let bodiless = head_only || body.is_end_stream();
    let mut stream = respond.send_response(Response::from_parts(head, ()), bodiless)?;
    if bodiless {
        return Ok(None);
    }
    loop {
        let frame = tokio::select! {
            frame = body.frame() => frame,
            // The client gave the stream up.
            _ = poll_fn(|cx| stream.poll_reset(cx)) => return Ok(None),
        };
        match frame.transpose().map(|frame| frame.map(Frame::into_data)) {
            Ok(Some(Ok(data))) => send_data(&mut stream, data).await?,
            Ok(Some(Err(frame))) => {
                stream.send_trailers(frame.into_trailers().unwrap_or_default())?;
                return Ok(None);
            }
            Ok(None) => {
                stream.send_data(Bytes::new(), true)?;
                return Ok(None);
            }
            Err(error) => return Ok(Some((stream, reason(&error)))),
        }
    }
}

/// Sends data as the client makes room for it.
async fn send_data(stream: &mut SendStream<Bytes>, mut data: Bytes) -> Result<(), h2::Error> {
    while !data.is_empty() {
        stream.reserve_capacity(data.len());
        let room = poll_fn(|cx| stream.poll_capacity(cx)).await;
        let room = room.unwrap_or_else(|| Err(Reason::CANCEL.into()))?;
        stream.send_data(data.split_to(room.min(data.len())), false)?;
    }
    Ok(())
}

fn reason(error: &BoxError) -> Reason {
    error
        .downcast_ref::<Code>()
        .map_or(Reason::INTERNAL_ERROR, |code| code.0.into())
}
