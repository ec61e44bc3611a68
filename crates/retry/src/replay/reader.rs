use std::error::Error;
use std::fmt;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use outrigger_core::BoxError;

use super::body::to_bytes;
use super::piece::Piece;
use super::tape::{Source, Tape, wake};
use crate::hint;

/// What one attempt reads of a [`Tape`].
#[derive(Debug)]
pub(super) struct Reader<B> {
    tape: Arc<Tape<B>>,
    attempt: u32,
    sent: usize,
}

impl<B> Reader<B> {
    pub(super) fn new(tape: Arc<Tape<B>>, attempt: u32) -> Self {
        Self {
            tape,
            attempt,
            sent: 0,
        }
    }

    pub(super) fn is_end_stream(&self) -> bool {
        let state = self.tape.lock();
        let ended = matches!(state.source, Source::Ended);
        ended && state.owner == self.attempt && state.position == state.frames.len()
    }

    /// What the whole body's hint says, less what this attempt was given.
    pub(super) fn size_hint(&self) -> SizeHint {
        hint::less(&self.tape.hint, self.sent)
    }
}

impl<B> Reader<B>
where
    B: Body + Unpin,
    B::Error: Into<BoxError>,
{
    pub(super) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let polled = match self.next(cx) {
            Next::Recorded(polled) => polled,
            Next::Live(source) => self.poll_live(source, cx),
        };
        if let Poll::Ready(Some(Ok(frame))) = &polled {
            let bytes = frame.data_ref().map_or(0, Bytes::len);
            self.sent = self.sent.saturating_add(bytes);
        }
        polled
    }

    /// What comes next: from the tape, or from the caller's body.
    fn next(&self, cx: &mut Context<'_>) -> Next<B> {
        let mut state = self.tape.lock();
        if state.owner != self.attempt {
            return Next::Recorded(Poll::Ready(Some(Err(CutOff.into()))));
        }
        if let Some(piece) = state.frames.get(state.position).cloned() {
            state.position += 1;
            let freed = state.free();
            drop(state);
            drop(freed);
            return Next::Recorded(Poll::Ready(Some(Ok(piece.into_frame()))));
        }
        match mem::replace(&mut state.source, Source::Out) {
            Source::Here(source) => Next::Live(source),
            Source::Out => {
                let before = state.waker.replace(cx.waker().clone());
                drop(state);
                // No lock is held: the last waker of a task takes the task along.
                drop(before);
                Next::Recorded(Poll::Pending)
            }
            Source::Failed(error) => {
                state.source = Source::Ended;
                Next::Recorded(Poll::Ready(Some(Err(error))))
            }
            Source::Ended => {
                state.source = Source::Ended;
                Next::Recorded(Poll::Ready(None))
            }
        }
    }

    fn poll_live(
        &self,
        source: B,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let mut lent = Lent {
            tape: &self.tape,
            source: Some(source),
        };
        let Some(source) = &mut lent.source else {
            return Poll::Ready(None);
        };
        let polled = Pin::new(&mut *source).poll_frame(cx).map_err(Into::into);
        let polled = polled.map_ok(|frame| Piece::of(frame.map_data(to_bytes)));
        let over = matches!(polled, Poll::Ready(None | Some(Err(_))));
        let ended = over || source.is_end_stream();
        self.settle(lent.source.take(), polled, ended, cx.waker())
    }

    /// Puts the caller's body back, with what came of it.
    fn settle(
        &self,
        source: Option<B>,
        polled: Poll<Option<Result<Piece, BoxError>>>,
        ended: bool,
        waker: &Waker,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let (source, spent) = if ended {
            (None, source)
        } else {
            (source, None)
        };
        let mut state = self.tape.lock();
        let mine = state.owner == self.attempt;
        state.source = source.map_or(Source::Ended, Source::Here);
        if let Poll::Ready(Some(read)) = &polled {
            match read {
                Ok(piece) => state.record(piece, mine),
                Err(_) => state.keep = false,
            }
        }
        let (mut owner, mut before) = (None, None);
        let polled = if mine {
            if polled.is_pending() {
                before = state.waker.replace(waker.clone());
            }
            polled.map_ok(Piece::into_frame)
        } else {
            if let Poll::Ready(Some(Err(error))) = polled {
                state.fail(error);
            }
            owner = state.waker.take();
            Poll::Ready(Some(Err(CutOff.into())))
        };
        let freed = state.free();
        drop(state);
        wake(owner);
        drop((freed, spent, before));
        polled
    }
}

/// What a reader gets, or gets to read.
enum Next<B> {
    Recorded(Poll<Option<Result<Frame<Bytes>, BoxError>>>),
    Live(B),
}

/// The caller's body while it is polled. It comes back even when it panics.
struct Lent<'a, B> {
    tape: &'a Tape<B>,
    source: Option<B>,
}

impl<B> Drop for Lent<'_, B> {
    fn drop(&mut self) {
        if let Some(source) = self.source.take() {
            self.tape.lock().source = Source::Here(source);
        }
    }
}

/// What the body of an attempt says when a later attempt has taken over.
#[derive(Debug)]
struct CutOff;

impl fmt::Display for CutOff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a later attempt sends this body")
    }
}

impl Error for CutOff {}
