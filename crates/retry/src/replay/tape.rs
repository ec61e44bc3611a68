//! A body that several attempts read, one after the other, from the beginning.

use std::fmt;
use std::mem;
use std::sync::{Arc, PoisonError};
use std::task::Waker;

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use outrigger_core::BoxError;

use super::memory::Share;
use super::piece::Piece;
use super::reader::Reader;
use crate::sync::{Mutex, MutexGuard};

/// The caller's body and the frames that were read of it.
///
/// The newest attempt owns the tape: it alone is given frames. The caller's body is taken out while
/// it is polled, so that no lock is held while its code runs.
#[derive(Debug)]
pub(super) struct Tape<B> {
    state: Mutex<State<B>>,
    pub(super) hint: SizeHint,
}

/// The ordinal of the attempt that reads the tape first.
const FIRST: u32 = 1;

/// What is behind the lock of a [`Tape`].
pub(super) struct State<B> {
    pub(super) source: Source<B>,
    pub(super) frames: Vec<Piece>,
    /// What the frames take of the layer's memory.
    share: Share,
    /// Whether another attempt may follow: then what is read is kept.
    pub(super) keep: bool,
    /// The attempt that owns the tape, from 1.
    pub(super) owner: u32,
    /// How many of the frames the owner has been given.
    pub(super) position: usize,
    /// The owner's, while it waits.
    pub(super) waker: Option<Waker>,
}

/// Where the caller's body is.
pub(super) enum Source<B> {
    Here(B),
    /// An attempt is polling it on another thread.
    Out,
    Failed(BoxError),
    Ended,
}

impl<B> Tape<B> {
    /// A tape with nothing on it yet. `hint` is that of `source`, before anything was read.
    pub(super) fn new(source: B, hint: SizeHint, share: Share) -> Self {
        Self {
            state: Mutex::new(State {
                source: Source::Here(source),
                frames: Vec::new(),
                share,
                keep: true,
                owner: FIRST,
                position: 0,
                waker: None,
            }),
            hint,
        }
    }

    /// Puts on the tape what was read of the body before the tape was made.
    pub(super) fn begun(self, read: Option<Result<Frame<Bytes>, BoxError>>, ended: bool) -> Self {
        {
            let mut state = self.lock();
            if ended {
                state.source = Source::Ended;
            }
            match read {
                Some(Ok(frame)) => state.record(&Piece::of(frame), false),
                Some(Err(error)) => state.fail(error),
                None => {}
            }
        }
        self
    }

    /// The reader of the first attempt.
    pub(super) fn read(self: &Arc<Self>) -> Reader<B> {
        Reader::new(Arc::clone(self), FIRST)
    }

    /// The reader of the next attempt, from the beginning; `None` when not all that was read is
    /// still there. The reader before it is cut off.
    pub(super) fn rewind(self: &Arc<Self>) -> Option<Reader<B>> {
        let mut state = self.lock();
        if !state.keep {
            return None;
        }
        state.owner += 1;
        state.position = 0;
        let cut_off = state.waker.take();
        let attempt = state.owner;
        drop(state);
        wake(cut_off);
        Some(Reader::new(Arc::clone(self), attempt))
    }

    /// No other attempt will follow: what was read goes as soon as the last one has it.
    pub(super) fn commit(&self) {
        let freed = {
            let mut state = self.lock();
            state.keep = false;
            state.free()
        };
        drop(freed);
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State<B>> {
        // A panic cannot come between two changes that belong together.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<B> State<B> {
    /// Keeps a frame that was read. Without room for it no other attempt can follow, and it stays
    /// only when the owner has not `seen` it.
    pub(super) fn record(&mut self, piece: &Piece, seen: bool) {
        self.keep = self.keep && self.share.take(piece.weight());
        if self.keep || !seen {
            self.frames.push(piece.clone());
            self.position += usize::from(seen);
        }
    }

    /// Keeps the failure of the caller's body for the owner. No other attempt can follow.
    pub(super) fn fail(&mut self, error: BoxError) {
        self.source = Source::Failed(error);
        self.keep = false;
    }

    /// The frames that nobody needs any more.
    pub(super) fn free(&mut self) -> Vec<Piece> {
        if self.keep || self.position < self.frames.len() {
            return Vec::new();
        }
        self.share.free();
        self.position = 0;
        mem::take(&mut self.frames)
    }
}

impl<B> fmt::Debug for State<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State")
            .field("frames", &self.frames.len())
            .field("keep", &self.keep)
            .field("owner", &self.owner)
            .finish_non_exhaustive()
    }
}

pub(super) fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::pin::Pin;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::task::{Context, Poll, Wake};

    use bytes::Bytes;
    use http_body::{Body, Frame};

    use super::super::Memory;
    use super::*;

    /// Has nothing to give, and keeps no waker.
    struct Silent;

    impl Body for Silent {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            Poll::Pending
        }
    }

    /// The waker of a task that nobody else holds: it ends with it, and its body looks at the tape.
    struct Last(Arc<Tape<Silent>>, Arc<AtomicBool>);

    impl Wake for Last {
        fn wake(self: Arc<Self>) {}
    }

    impl Drop for Last {
        fn drop(&mut self) {
            let free = self.0.state.try_lock().is_ok();
            self.1.store(free, Ordering::Relaxed);
        }
    }

    #[test]
    fn no_waker_is_dropped_under_the_lock() {
        let share = Share::none_of(&Arc::new(Memory::new(9, 9)));
        let tape = Arc::new(Tape::new(Silent, SizeHint::default(), share));
        let free = Arc::new(AtomicBool::new(false));
        let mut reader = tape.read();
        let last = Arc::new(Last(Arc::clone(&tape), Arc::clone(&free))).into();
        assert!(
            reader
                .poll_frame(&mut Context::from_waker(&last))
                .is_pending()
        );
        drop(last);
        let mut moved = Context::from_waker(Waker::noop());
        assert!(reader.poll_frame(&mut moved).is_pending());
        assert!(free.load(Ordering::Relaxed), "a body would wait for itself");
    }
}

#[cfg(all(test, outrigger_loom))]
mod loom_tests {
    use std::pin::Pin;
    use std::task::{Context, Poll, Wake};

    use http_body::Body;
    use loom::sync::Notify;
    use loom::thread;

    use super::super::memory::Memory;
    use super::*;

    /// Yields these numbers, and is pending where there is none.
    struct Numbers(Vec<Option<u8>>);

    impl Body for Numbers {
        type Data = Bytes;
        type Error = BoxError;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
            match self.0.pop() {
                None => Poll::Ready(None),
                Some(Some(number)) => Poll::Ready(Some(Ok(Frame::data(vec![number].into())))),
                Some(None) => {
                    cx.waker().wake_by_ref();
                    Poll::Pending
                }
            }
        }
    }

    struct Bell(Notify);

    impl Wake for Bell {
        fn wake(self: Arc<Self>) {
            self.0.notify();
        }
    }

    /// Reads until the end, or until the reader is cut off; waits as a task does.
    fn read(mut reader: Reader<Numbers>) -> (Vec<u8>, bool) {
        let bell = Arc::new(Bell(Notify::new()));
        let waker = Waker::from(bell.clone());
        let mut numbers = Vec::new();
        loop {
            match reader.poll_frame(&mut Context::from_waker(&waker)) {
                Poll::Pending => bell.0.wait(),
                Poll::Ready(None) => return (numbers, true),
                Poll::Ready(Some(Err(_))) => return (numbers, false),
                Poll::Ready(Some(Ok(frame))) => numbers.extend(frame.into_data().unwrap()),
            }
        }
    }

    fn hand_over(numbers: Vec<Option<u8>>, cap: usize) {
        loom::model(move || {
            let expected: Vec<u8> = numbers.iter().copied().flatten().collect();
            let mut body = numbers.clone();
            body.reverse();
            let memory = Arc::new(Memory::new(cap, cap));
            let share = Share::none_of(&memory);
            let tape = Arc::new(Tape::new(Numbers(body), SizeHint::new(), share));
            let first = tape.read();
            let first = thread::spawn(move || read(first));
            let second = tape.rewind();
            if let Some(second) = second {
                assert_eq!(read(second), (expected.clone(), true));
            }
            let (numbers, _) = first.join().unwrap();
            assert!(expected.starts_with(&numbers));
            tape.commit();
            assert_eq!(memory.used(), 0);
        });
    }

    #[test]
    fn the_second_attempt_reads_everything_while_the_first_is_still_reading() {
        hand_over(vec![Some(1), Some(2)], 1024);
    }

    #[test]
    fn no_wake_is_lost_when_a_pending_body_changes_hands() {
        hand_over(vec![None, Some(1)], 1024);
    }

    #[test]
    fn a_frame_for_which_there_is_no_room_is_not_lost_between_two() {
        hand_over(vec![Some(1), Some(2)], Piece::LEAST);
    }
}
