//! Sending a request body more than once.

mod body;
mod memory;
mod piece;
mod reader;
mod rewind;
mod tape;

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http_body::{Body, SizeHint};
use outrigger_core::BoxError;

pub use self::body::ReplayBody;
use self::body::to_bytes;
pub(crate) use self::memory::Memory;
use self::memory::Share;
pub use self::rewind::Rewind;
use self::tape::Tape;

/// Makes the request body of each attempt.
#[derive(Debug)]
pub(crate) enum Replay<B> {
    /// No frame at all.
    Empty(SizeHint),
    /// One frame, all there, and the room it takes.
    Whole { data: Bytes, _share: Share },
    /// Kept while it is read.
    Tape(Recording<B>),
    /// Not kept: the caller makes it once more.
    Made(Rewind<B>),
    /// Sent, and not kept.
    Gone,
}

impl<B> Replay<B>
where
    B: Body + Unpin,
    B::Error: Into<BoxError>,
{
    /// Looks at a body and keeps of it as much as is needed; with the body of the first attempt.
    pub(crate) fn new(
        body: B,
        rewind: Option<Rewind<B>>,
        memory: &Arc<Memory>,
    ) -> (Self, ReplayBody<B>) {
        let hint = body.size_hint();
        if body.is_end_stream() {
            return (Self::Empty(hint), ReplayBody::empty(hint));
        }
        if let Some(rewind) = rewind {
            return (Self::Made(rewind), ReplayBody::direct(body));
        }
        if usize::try_from(hint.lower()).map_or(true, |least| least > memory.per_call()) {
            return (Self::Gone, ReplayBody::direct(body));
        }
        let share = Share::none_of(memory);
        if hint.exact().is_some() {
            return Self::at_once(body, hint, share);
        }
        Self::record(Tape::new(body, hint, share))
    }

    /// A body of known size is often one frame, and then there is nothing to record.
    fn at_once(mut body: B, hint: SizeHint, mut share: Share) -> (Self, ReplayBody<B>) {
        let mut context = Context::from_waker(Waker::noop());
        let Poll::Ready(first) = Pin::new(&mut body).poll_frame(&mut context) else {
            return Self::record(Tape::new(body, hint, share));
        };
        let first = first.map(|read| read.map(|frame| frame.map_data(to_bytes)));
        let ended = first.is_none() || body.is_end_stream();
        if let (true, Some(Ok(frame))) = (ended, &first)
            && let Some(data) = frame.data_ref()
            && share.take(data.len())
        {
            let whole = Self::Whole {
                data: data.clone(),
                _share: share,
            };
            return (whole, ReplayBody::whole(data.clone()));
        }
        let first = first.map(|read| read.map_err(Into::into));
        Self::record(Tape::new(body, hint, share).begun(first, ended))
    }
}

impl<B> Replay<B> {
    fn record(tape: Tape<B>) -> (Self, ReplayBody<B>) {
        let tape = Arc::new(tape);
        let first = ReplayBody::tape(tape.read());
        (Self::Tape(Recording(tape)), first)
    }

    /// The body of the next attempt; `None` when it cannot be sent again. From now on the body of
    /// the attempt before fails.
    pub(crate) fn again(&mut self) -> Option<ReplayBody<B>> {
        match self {
            Self::Empty(hint) => Some(ReplayBody::empty(*hint)),
            Self::Whole { data, .. } => Some(ReplayBody::whole(data.clone())),
            Self::Tape(recording) => recording.0.rewind().map(ReplayBody::tape),
            Self::Made(rewind) => Some(ReplayBody::direct(rewind.body())),
            Self::Gone => None,
        }
    }
}

/// Keeps what is read. Dropped, no other attempt follows, and what is kept goes as it is sent.
#[derive(Debug)]
pub(crate) struct Recording<B>(Arc<Tape<B>>);

impl<B> Drop for Recording<B> {
    fn drop(&mut self) {
        self.0.commit();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use http::HeaderMap;
    use http_body::Frame;
    use http_body_util::{Channel, Full};
    use proptest::prelude::*;

    use super::*;

    const KIB: usize = 1024;

    fn memory(per_call: usize, total: usize) -> Arc<Memory> {
        Arc::new(Memory::new(per_call, total))
    }

    /// A body that is sent, attempt by attempt.
    struct Sent<B> {
        first: Option<ReplayBody<B>>,
        replay: Replay<B>,
    }

    impl<B> Sent<B>
    where
        B: Body + Unpin,
        B::Error: Into<BoxError>,
    {
        fn new(body: B, memory: &Arc<Memory>) -> Self {
            let (replay, first) = Replay::new(body, None, memory);
            let first = Some(first);
            Self { first, replay }
        }

        fn attempt(&mut self) -> Option<ReplayBody<B>> {
            self.first.take().or_else(|| self.replay.again())
        }
    }

    /// A body that does what a script says. It is neither `Clone` nor `Sync`.
    #[derive(Debug, Default)]
    struct Script {
        steps: VecDeque<Step>,
        /// Says that it is at its end as soon as it is, and not only when it is asked once more.
        eager: bool,
        /// Its size is known.
        exact: bool,
        not_sync: std::marker::PhantomData<std::cell::Cell<()>>,
    }

    #[derive(Clone, Debug, PartialEq)]
    enum Step {
        Pending,
        Data(Vec<u8>),
        Trailers(HeaderMap),
        Fail,
    }

    impl Script {
        fn bytes(&self) -> Vec<u8> {
            let data = |step: &Step| match step {
                Step::Data(data) => data.clone(),
                _ => Vec::new(),
            };
            self.steps.iter().flat_map(data).collect()
        }

        fn trailers(&self) -> Option<HeaderMap> {
            self.steps.iter().find_map(|step| match step {
                Step::Trailers(trailers) => Some(trailers.clone()),
                _ => None,
            })
        }
    }

    impl Body for Script {
        type Data = VecDeque<u8>;
        type Error = &'static str;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<VecDeque<u8>>, &'static str>>> {
            Poll::Ready(Some(match self.steps.pop_front() {
                None => return Poll::Ready(None),
                Some(Step::Data(data)) => Ok(Frame::data(data.into())),
                Some(Step::Trailers(trailers)) => Ok(Frame::trailers(trailers)),
                Some(Step::Fail) => Err("broken"),
                Some(Step::Pending) => {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
            }))
        }

        fn is_end_stream(&self) -> bool {
            self.eager && self.steps.is_empty()
        }

        fn size_hint(&self) -> SizeHint {
            if self.exact {
                SizeHint::with_exact(self.bytes().len() as u64)
            } else {
                SizeHint::new()
            }
        }
    }

    type Read = Poll<Option<Result<Frame<Bytes>, BoxError>>>;

    fn poll<B>(body: &mut ReplayBody<B>, waker: &Waker) -> Read
    where
        B: Body + Unpin,
        B::Error: Into<BoxError>,
    {
        Pin::new(body).poll_frame(&mut Context::from_waker(waker))
    }

    /// What an attempt has read of a body.
    #[derive(Debug, Default, PartialEq)]
    struct Wire {
        bytes: Vec<u8>,
        trailers: Option<HeaderMap>,
        ended: bool,
    }

    impl Wire {
        fn take(&mut self, read: Read) {
            match read {
                Poll::Pending => {}
                Poll::Ready(None) => self.ended = true,
                Poll::Ready(Some(frame)) => match frame.unwrap().into_data() {
                    Ok(data) => self.bytes.extend(data),
                    Err(frame) => self.trailers = frame.into_trailers().ok(),
                },
            }
        }
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            1 => Just(Step::Pending),
            1 => Just(Step::Data(Vec::new())),
            4 => prop::collection::vec(any::<u8>(), 1..40).prop_map(Step::Data),
        ]
    }

    fn script() -> impl Strategy<Value = Script> {
        let steps = prop::collection::vec(step(), 0..12);
        (steps, any::<[bool; 4]>()).prop_map(|(steps, [eager, exact, trailers, pending])| {
            let mut steps = VecDeque::from(steps);
            if trailers {
                let name = http::HeaderName::from_static("x-checksum");
                let trailers = HeaderMap::from_iter([(name, "1".parse().unwrap())]);
                steps.extend(pending.then_some(Step::Pending));
                steps.push_back(Step::Trailers(trailers));
            }
            let not_sync = std::marker::PhantomData;
            Script {
                steps,
                eager,
                exact,
                not_sync,
            }
        })
    }

    fn data(read: Read) -> Bytes {
        match read {
            Poll::Ready(Some(Ok(frame))) => frame.into_data().unwrap(),
            other => panic!("no data: {other:?}"),
        }
    }

    fn error(read: Read) -> String {
        match read {
            Poll::Ready(Some(Err(error))) => error.to_string(),
            other => panic!("no error: {other:?}"),
        }
    }

    /// Counts how often it was woken.
    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn bodies_of_one_frame_are_not_recorded_and_keep_their_bytes() {
        let memory = memory(KIB, KIB);
        let bytes = Bytes::from(vec![7; KIB]);
        let mut full = Sent::new(Full::new(bytes.clone()), &memory);
        for _ in 0..3 {
            let mut body = full.attempt().unwrap();
            assert_eq!(body.size_hint().exact(), Some(1024));
            assert_eq!(
                data(poll(&mut body, Waker::noop())).as_ptr(),
                bytes.as_ptr()
            );
            assert!(body.is_end_stream());
        }
        assert_eq!(memory.used(), KIB);
        let mut empty = Sent::new(Full::<Bytes>::default(), &memory);
        assert!(empty.attempt().unwrap().is_end_stream());
        assert!(matches!(empty.replay, Replay::Empty(_)));
        assert!(matches!(full.replay, Replay::Whole { .. }));
        drop(full);
        assert_eq!(memory.used(), 0);
    }

    #[test]
    fn a_stream_is_live_before_and_after_a_retry() {
        let (mut sender, body) = Channel::<Bytes>::new(8);
        let mut replay = Sent::new(body, &memory(KIB, KIB));
        let (one_woken, other_woken) = (Arc::<Woken>::default(), Arc::<Woken>::default());
        let (one_waker, other_waker) = (
            Arc::clone(&one_woken).into(),
            Arc::clone(&other_woken).into(),
        );

        let mut one = replay.attempt().unwrap();
        sender.try_send(Frame::data("hello".into())).unwrap();
        assert_eq!(data(poll(&mut one, &one_waker)), "hello");
        assert!(poll(&mut one, &one_waker).is_pending());

        let mut other = replay.attempt().unwrap();
        assert_eq!(
            one_woken.0.load(Ordering::Relaxed),
            1,
            "told that it is cut off"
        );
        assert_eq!(
            error(poll(&mut one, &one_waker)),
            "a later attempt sends this body"
        );
        assert_eq!(data(poll(&mut other, &other_waker)), "hello");
        assert!(poll(&mut other, &other_waker).is_pending());
        sender.try_send(Frame::data("world".into())).unwrap();
        assert_eq!(other_woken.0.load(Ordering::Relaxed), 1);
        assert_eq!(data(poll(&mut other, &other_waker)), "world");
        drop(sender);
        assert!(matches!(poll(&mut other, &other_waker), Poll::Ready(None)));
    }

    /// An endless body of equal frames that reports no size.
    struct Endless(Bytes);

    impl Body for Endless {
        type Data = Bytes;
        type Error = BoxError;

        fn poll_frame(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
            Poll::Ready(Some(Ok(Frame::data(self.0.clone()))))
        }
    }

    #[test]
    fn a_body_past_its_cap_streams_on_and_keeps_nothing() {
        let memory = memory(64 * KIB, 64 * KIB * KIB);
        let mut replay = Sent::new(Endless(vec![0; 16 * KIB].into()), &memory);
        let mut body = replay.attempt().unwrap();
        let mut most = 0;
        for _ in 0..(KIB * KIB / 16) {
            assert_eq!(data(poll(&mut body, Waker::noop())).len(), 16 * KIB);
            most = most.max(memory.used());
        }
        assert_eq!((most, memory.used()), (64 * KIB, 0), "over 1 GiB");
        assert!(replay.attempt().is_none());
        assert_eq!(
            data(poll(&mut body, Waker::noop())).len(),
            16 * KIB,
            "still live"
        );
    }

    #[test]
    fn frames_without_bytes_do_not_keep_on_growing() {
        let memory = memory(64 * KIB, 64 * KIB);
        let mut replay = Sent::new(Endless(Bytes::new()), &memory);
        let mut body = replay.attempt().unwrap();
        for _ in 0..2 * KIB {
            poll(&mut body, Waker::noop()).is_ready();
        }
        assert!(replay.attempt().is_none());
    }

    #[test]
    fn ten_thousand_bodies_stay_below_the_layers_cap() {
        let memory = memory(64 * KIB, KIB * KIB);
        let frame = Bytes::from(vec![0; 32 * KIB]);
        let mut calls: Vec<_> = (0..10_000)
            .map(|_| Sent::new(Endless(frame.clone()), &memory))
            .map(|mut replay| (replay.attempt().unwrap(), replay))
            .collect();
        for (body, _) in &mut calls {
            poll(body, Waker::noop()).is_ready();
            assert!(memory.used() <= KIB * KIB);
        }
        let replayable = calls.iter_mut().filter_map(|(_, replay)| replay.attempt());
        assert_eq!(replayable.count(), 32);
        drop(calls);
        assert_eq!(memory.used(), 0);
    }

    #[test]
    fn what_is_kept_goes_when_no_attempt_can_follow() {
        let memory = memory(64 * KIB, 64 * KIB);
        let mut replay = Sent::new(Endless(vec![0; KIB].into()), &memory);
        let mut body = replay.attempt().unwrap();
        for _ in 0..10 {
            poll(&mut body, Waker::noop()).is_ready();
        }
        let mut body = replay.attempt().unwrap();
        assert_eq!(memory.used(), 10 * KIB);
        drop(replay);
        for read in 0..20 {
            let kept = if read < 10 { 10 * KIB } else { 0 };
            assert_eq!(memory.used(), kept);
            assert_eq!(data(poll(&mut body, Waker::noop())).len(), KIB);
        }
    }

    #[test]
    fn the_end_is_known_as_early_as_the_callers_body_knows_it() {
        for eager in [true, false] {
            let script = Script {
                steps: [Step::Data(vec![1]), Step::Data(vec![2])].into(),
                eager,
                ..Script::default()
            };
            let mut replay = Sent::new(script, &memory(KIB, KIB));
            let mut body = replay.attempt().unwrap();
            data(poll(&mut body, Waker::noop()));
            assert!(!body.is_end_stream());
            data(poll(&mut body, Waker::noop()));
            assert_eq!(body.is_end_stream(), eager);
        }
    }

    #[test]
    fn a_body_that_fails_is_not_sent_again() {
        let steps = VecDeque::from([Step::Data(vec![1]), Step::Fail]);
        let script = Script {
            steps,
            ..Script::default()
        };
        let mut replay = Sent::new(script, &memory(KIB, KIB));
        let mut body = replay.attempt().unwrap();
        assert_eq!(data(poll(&mut body, Waker::noop())), [1][..]);
        assert_eq!(error(poll(&mut body, Waker::noop())), "broken");
        assert!(matches!(poll(&mut body, Waker::noop()), Poll::Ready(None)));
        assert!(replay.attempt().is_none());
    }

    #[test]
    fn a_body_of_known_size_that_fails_at_once_is_not_sent_again() {
        let script = Script {
            steps: [Step::Fail, Step::Data(vec![1])].into(),
            exact: true,
            ..Script::default()
        };
        let mut replay = Sent::new(script, &memory(KIB, KIB));
        let mut body = replay.attempt().unwrap();
        assert_eq!(error(poll(&mut body, Waker::noop())), "broken");
        assert!(replay.attempt().is_none());
    }

    #[test]
    fn a_body_known_to_be_too_long_is_sent_once_and_not_kept() {
        let memory = memory(KIB, KIB);
        let mut replay = Sent::new(Full::new(Bytes::from(vec![0; KIB + 1])), &memory);
        let mut body = replay.attempt().unwrap();
        assert!(replay.attempt().is_none());
        assert_eq!(body.size_hint().exact(), Some(1025));
        assert_eq!(data(poll(&mut body, Waker::noop())).len(), KIB + 1);
        assert_eq!(memory.used(), 0);
    }

    #[test]
    fn a_body_that_panics_is_not_lost() {
        struct PanicsOnce(bool);
        impl Body for PanicsOnce {
            type Data = Bytes;
            type Error = BoxError;
            fn poll_frame(
                mut self: Pin<&mut Self>,
                _: &mut Context<'_>,
            ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
                assert!(std::mem::replace(&mut self.0, true), "user code");
                Poll::Ready(None)
            }
        }
        let mut replay = Sent::new(PanicsOnce(false), &memory(KIB, KIB));
        let mut body = replay.attempt().unwrap();
        let read = std::panic::AssertUnwindSafe(|| poll(&mut body, Waker::noop()));
        assert!(std::panic::catch_unwind(read).is_err());
        let mut body = replay.attempt().unwrap();
        assert!(matches!(poll(&mut body, Waker::noop()), Poll::Ready(None)));
    }

    #[test]
    fn bodies_may_be_sent_and_need_be_neither_clone_nor_sync() {
        fn assert_send<T: Send>(_: &T) {}
        let mut replay = Sent::new(Script::default(), &memory(KIB, KIB));
        assert_send(&replay.attempt());
        assert_send(&replay.replay);
    }

    proptest! {
        #[test]
        fn every_attempt_reads_the_whole_body_from_any_cut(
            script in script(),
            cuts in prop::collection::vec(0_usize..16, 0..4),
        ) {
            let (bytes, trailers, hint) = (script.bytes(), script.trailers(), script.size_hint());
            let (memory, waker) = (memory(64 * KIB, 64 * KIB), Waker::noop());
            let mut replay = Sent::new(script, &memory);
            let mut earlier: Vec<ReplayBody<Script>> = Vec::new();
            for cut in cuts {
                let mut body = replay.attempt().unwrap();
                prop_assert_eq!(body.size_hint().exact(), hint.exact());
                let mut wire = Wire::default();
                for _ in 0..cut {
                    wire.take(poll(&mut body, waker));
                    // hyper may go on with an earlier body: it gets nothing of this one's.
                    for earlier in &mut earlier {
                        if let Poll::Ready(Some(read)) = poll(earlier, waker) {
                            prop_assert!(read.is_err());
                        }
                    }
                }
                prop_assert!(bytes.starts_with(&wire.bytes));
                if matches!(replay.replay, Replay::Tape(_)) {
                    earlier.push(body);
                }
            }
            let mut last = replay.attempt().unwrap();
            let mut wire = Wire::default();
            for _ in 0..100 {
                if !wire.ended {
                    let left = last.size_hint().exact();
                    if let Some(left) = left {
                        prop_assert_eq!(left as usize, bytes.len() - wire.bytes.len());
                    }
                    let over = last.is_end_stream();
                    wire.take(poll(&mut last, waker));
                    prop_assert!(!over || wire.ended, "a frame came after the end");
                }
            }
            prop_assert_eq!(wire, Wire { bytes, trailers, ended: true });
            drop((last, replay, earlier));
            prop_assert_eq!(memory.used(), 0);
        }
    }
}
