use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Buf;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use crate::hint;

pin_project! {
    /// The response body of a retry layer: the server's own, live, or what was kept of an answer after
    /// which one more attempt was intended and could not be made.
    pub struct RetryBody<R: Body> {
        #[pin]
        state: State<R>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<R: Body> {
        Live { #[pin] body: R },
        Kept { kept: Kept<R> },
    }
}

impl<R: Body> RetryBody<R> {
    pub(crate) fn live(body: R) -> Self {
        Self {
            state: State::Live { body },
        }
    }

    pub(crate) fn kept(kept: Kept<R>) -> Self {
        Self {
            state: State::Kept { kept },
        }
    }

    /// Whether it was read to its end before a pause, and is given from memory.
    pub fn is_kept(&self) -> bool {
        matches!(self.state, State::Kept { .. })
    }
}

impl<R: Body> Body for RetryBody<R> {
    type Data = R::Data;
    type Error = R::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<R::Data>, R::Error>>> {
        match self.project().state.project() {
            StateProj::Live { body } => body.poll_frame(cx),
            StateProj::Kept { kept } => Poll::Ready(kept.next()),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.state {
            State::Live { body } => body.is_end_stream(),
            State::Kept { kept } => kept.frames.is_empty(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.state {
            State::Live { body } => body.size_hint(),
            State::Kept { kept } => kept.hint,
        }
    }
}

impl<R: Body + Default> Default for RetryBody<R> {
    fn default() -> Self {
        Self::live(R::default())
    }
}

impl<R: Body> fmt::Debug for RetryBody<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.state {
            State::Live { .. } => "RetryBody(Live)",
            State::Kept { .. } => "RetryBody(Kept)",
        })
    }
}

/// The frames of an answer's body, and the error at its end if there was one.
pub(crate) struct Kept<R: Body> {
    frames: VecDeque<Result<Frame<R::Data>, R::Error>>,
    room: usize,
    hint: SizeHint,
}

impl<R: Body> Kept<R> {
    /// The longest body that is kept, in bytes.
    pub(crate) const MOST: usize = 16 * 1024;
    /// A frame counts as at least this many bytes.
    const LEAST: usize = 64;

    /// Nothing yet of this body.
    pub(crate) fn of(body: &R) -> Self {
        Self {
            frames: VecDeque::new(),
            room: Self::MOST,
            hint: body.size_hint(),
        }
    }

    /// Whether the body is known to be too long, before anything was read.
    pub(crate) fn is_hopeless(&self) -> bool {
        usize::try_from(self.hint.lower()).map_or(true, |least| least > Self::MOST)
    }

    /// Reads a body to its end; `false` when it is too long to be kept.
    pub(crate) fn poll_read(&mut self, mut body: Pin<&mut R>, cx: &mut Context<'_>) -> Poll<bool> {
        while !body.is_end_stream() {
            let Some(frame) = ready!(body.as_mut().poll_frame(cx)) else {
                break;
            };
            let failed = frame.is_err();
            let bytes = bytes_of(&frame).max(Self::LEAST);
            let Some(room) = self.room.checked_sub(bytes) else {
                return Poll::Ready(false);
            };
            self.room = room;
            self.frames.push_back(frame);
            if failed {
                break;
            }
        }
        Poll::Ready(true)
    }

    fn next(&mut self) -> Option<Result<Frame<R::Data>, R::Error>> {
        let frame = self.frames.pop_front()?;
        self.hint = hint::less(&self.hint, bytes_of(&frame));
        Some(frame)
    }
}

fn bytes_of<D: Buf, E>(frame: &Result<Frame<D>, E>) -> usize {
    let data = frame.as_ref().ok().and_then(Frame::data_ref);
    data.map_or(0, Buf::remaining)
}

impl<R: Body> fmt::Debug for Kept<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Kept({} frames)", self.frames.len())
    }
}
