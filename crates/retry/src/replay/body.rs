use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use http_body::{Body, Frame, SizeHint};
use outrigger_core::BoxError;

use super::reader::Reader;

/// The request body of one attempt: the caller's body, read through and kept for the next attempt.
///
/// What was read before comes first, then the rest as it arrives: nothing waits for the end of the
/// body, so that streams and bidirectional calls stay live. Only the newest attempt reads; a body of
/// an earlier one fails instead of taking frames from it.
#[derive(Debug)]
pub struct ReplayBody<B>(State<B>);

enum State<B> {
    Empty(SizeHint),
    Whole(Option<Bytes>),
    Direct(B),
    Tape(Reader<B>),
}

impl<B> ReplayBody<B> {
    /// A body without a frame. Nothing is kept of it but its hint.
    pub(super) fn empty(hint: SizeHint) -> Self {
        Self(State::Empty(hint))
    }

    /// A body that is one frame of data, all there.
    pub(super) fn whole(data: Bytes) -> Self {
        Self(State::Whole(Some(data)))
    }

    /// The caller's own body, of which nothing is kept.
    pub(crate) fn direct(body: B) -> Self {
        Self(State::Direct(body))
    }

    /// A body that is kept while it is read.
    pub(super) fn tape(reader: Reader<B>) -> Self {
        Self(State::Tape(reader))
    }
}

impl<B> Body for ReplayBody<B>
where
    B: Body + Unpin,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match &mut self.0 {
            State::Empty(_) => Poll::Ready(None),
            State::Whole(data) => Poll::Ready(data.take().map(|data| Ok(Frame::data(data)))),
            State::Direct(body) => {
                let polled = Pin::new(body).poll_frame(cx).map_err(Into::into);
                polled.map_ok(|frame| frame.map_data(to_bytes))
            }
            State::Tape(reader) => reader.poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            State::Empty(_) => true,
            State::Whole(data) => data.is_none(),
            State::Direct(body) => body.is_end_stream(),
            State::Tape(reader) => reader.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            State::Empty(hint) => *hint,
            State::Whole(data) => {
                let bytes = data.as_ref().map_or(0, |data| data.len());
                SizeHint::with_exact(u64::try_from(bytes).unwrap_or(u64::MAX))
            }
            State::Direct(body) => body.size_hint(),
            State::Tape(reader) => reader.size_hint(),
        }
    }
}

/// The bytes of a frame, by reference where they are `Bytes` already.
pub(super) fn to_bytes(mut data: impl Buf) -> Bytes {
    data.copy_to_bytes(data.remaining())
}

impl<B> fmt::Debug for State<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty(_) => "Empty",
            Self::Whole(_) => "Whole",
            Self::Direct(_) => "Direct",
            Self::Tape(_) => "Tape",
        })
    }
}
