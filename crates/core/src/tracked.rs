use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

/// How a body came to its end.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum End<'a> {
    /// Read to the end, with the trailers if there were any.
    Complete(Option<&'a HeaderMap>),
    /// The body failed: its error went to the reader.
    Failed,
    /// Dropped before its end: the reader has lost interest, or panicked.
    Dropped,
}

/// What a body settles when it ends. A closure `FnOnce(End<'_>)` is one.
pub trait Settle {
    /// Learns of the end. Called exactly once per body.
    fn settle(self, end: End<'_>);

    /// Learns that data has come. Called for each frame of it, before the end that it may bring. By
    /// default that changes nothing.
    fn data(&mut self) {}
}

impl<F: FnOnce(End<'_>)> Settle for F {
    fn settle(self, end: End<'_>) {
        self(end);
    }
}

pin_project! {
    /// A body that settles a guard exactly once: at its end, at an error, or when it is dropped.
    ///
    /// A body that is already at its end settles when it is wrapped. Frames, trailers and hints pass
    /// through untouched.
    ///
    /// ```
    /// use http_body_util::{BodyExt, Full};
    /// use outrigger_core::{End, Tracked};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let mut complete = false;
    /// let body = Full::<&[u8]>::from(&b"hello"[..]);
    /// let tracked = Tracked::new(body, |end: End<'_>| complete = matches!(end, End::Complete(_)));
    /// assert_eq!(tracked.collect().await.unwrap().to_bytes(), "hello");
    /// assert!(complete);
    /// # }
    /// ```
    #[derive(Debug)]
    pub struct Tracked<B, G: Settle> {
        #[pin]
        body: B,
        guard: Guard<G>,
    }
}

impl<B: Body, G: Settle> Tracked<B, G> {
    /// Wraps a body; `guard` learns how it ends.
    pub fn new(body: B, guard: G) -> Self {
        let mut guard = Guard(Some(guard));
        if body.is_end_stream() {
            guard.settle(End::Complete(None));
        }
        Self { body, guard }
    }

    /// A body with nothing to settle: for a layer that need not learn of this one's end.
    #[inline]
    pub fn settled(body: B) -> Self {
        let guard = Guard(None);
        Self { body, guard }
    }
}

impl<B: Body, G: Settle> Body for Tracked<B, G> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let this = self.project();
        let mut body = this.body;
        let frame = ready!(body.as_mut().poll_frame(cx));
        match &frame {
            None => this.guard.settle(End::Complete(None)),
            Some(Err(_)) => this.guard.settle(End::Failed),
            Some(Ok(frame)) => {
                if let Some(trailers) = frame.trailers_ref() {
                    this.guard.settle(End::Complete(Some(trailers)));
                } else {
                    this.guard.data();
                    if body.is_end_stream() {
                        this.guard.settle(End::Complete(None));
                    }
                }
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl<B: Default + Body, G: Settle + Default> Default for Tracked<B, G> {
    fn default() -> Self {
        Self::new(B::default(), G::default())
    }
}

/// The guard until it is settled; dropped before that, it is settled as [`End::Dropped`].
#[derive(Debug)]
struct Guard<G: Settle>(Option<G>);

impl<G: Settle> Guard<G> {
    fn data(&mut self) {
        if let Some(guard) = &mut self.0 {
            guard.data();
        }
    }

    fn settle(&mut self, end: End<'_>) {
        if let Some(guard) = self.0.take() {
            guard.settle(end);
        }
    }
}

impl<G: Settle> Drop for Guard<G> {
    fn drop(&mut self) {
        self.settle(End::Dropped);
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::future::poll_fn;
    use std::rc::Rc;

    use http_body_util::{Empty, Full};

    use super::*;

    type Ends = Rc<RefCell<Vec<&'static str>>>;

    fn note(ends: &Ends) -> impl FnOnce(End<'_>) + use<> {
        let ends = Rc::clone(ends);
        move |end| {
            ends.borrow_mut().push(match end {
                End::Complete(None) => "complete",
                End::Complete(Some(_)) => "trailers",
                End::Failed => "failed",
                End::Dropped => "dropped",
            });
        }
    }

    /// A body that yields these frames, never pending.
    fn frames<E: Clone + Unpin + 'static>(
        frames: Vec<Result<&'static str, E>>,
    ) -> impl Body<Data = &'static [u8], Error = E> + Unpin {
        let mut frames = frames.into_iter();
        Frames(move || {
            frames.next().map(|frame| {
                frame.map(|text| match text {
                    "trailers" => Frame::trailers(HeaderMap::new()),
                    data => Frame::data(data.as_bytes()),
                })
            })
        })
    }

    struct Frames<F>(F);

    impl<F, E> Body for Frames<F>
    where
        F: FnMut() -> Option<Result<Frame<&'static [u8]>, E>> + Unpin,
    {
        type Data = &'static [u8];
        type Error = E;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Self::Data>, E>>> {
            Poll::Ready((self.0)())
        }
    }

    async fn read<B: Body + Unpin>(body: &mut B, frames: usize) {
        for _ in 0..frames {
            let _ = poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)).await;
        }
    }

    #[tokio::test]
    async fn every_end_is_told_exactly_once() {
        type Case = (Vec<Result<&'static str, u8>>, usize, &'static str);
        let cases: [Case; 7] = [
            (vec![], 0, "dropped"),
            (vec![], 2, "complete"),
            (vec![Ok("a")], 0, "dropped"),
            (vec![Ok("a")], 1, "dropped"),
            (vec![Ok("a")], 3, "complete"),
            (vec![Ok("a"), Ok("trailers")], 3, "trailers"),
            (vec![Ok("a"), Err(1)], 3, "failed"),
        ];
        for (script, polls, expected) in cases {
            let ends = Ends::default();
            let mut body = Tracked::new(frames(script.clone()), note(&ends));
            read(&mut body, polls).await;
            drop(body);
            assert_eq!(*ends.borrow(), [expected], "{script:?} read {polls} times");
        }
    }

    #[tokio::test]
    async fn each_frame_of_data_is_told_before_the_end() {
        struct Telling(Ends);
        impl Settle for Telling {
            fn data(&mut self) {
                self.0.borrow_mut().push("data");
            }

            fn settle(self, end: End<'_>) {
                note(&self.0)(end);
            }
        }
        let ends = Ends::default();
        let script = vec![Ok::<_, u8>("a"), Ok("b"), Ok("trailers")];
        let mut body = Tracked::new(frames(script), Telling(Rc::clone(&ends)));
        read(&mut body, 4).await;
        assert_eq!(*ends.borrow(), ["data", "data", "trailers"]);

        let ends = Ends::default();
        let full = Full::<&[u8]>::from(&b"last"[..]);
        read(&mut Tracked::new(full, Telling(Rc::clone(&ends))), 1).await;
        assert_eq!(*ends.borrow(), ["data", "complete"]);
    }

    #[tokio::test]
    async fn a_body_at_its_end_settles_without_a_read() {
        let ends = Ends::default();
        drop(Tracked::new(Empty::<&[u8]>::new(), note(&ends)));
        let mut full = Tracked::new(Full::<&[u8]>::from(&b"last"[..]), note(&ends));
        read(&mut full, 1).await;
        assert_eq!(*ends.borrow(), ["complete", "complete"]);
    }

    #[test]
    fn hints_pass_through() {
        let full = Tracked::new(Full::<&[u8]>::from(&b"12345"[..]), |_: End<'_>| {});
        assert_eq!(
            (full.size_hint().exact(), full.is_end_stream()),
            (Some(5), false)
        );
    }
}
