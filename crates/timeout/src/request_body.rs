use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tokio::time::Instant;

use crate::progress::{Progress, Turn};

pin_project! {
    /// The request body as [`TimeoutLayer`](crate::TimeoutLayer) hands it down: it lets the attempt
    /// know when the transport takes a frame, and when it has taken the last.
    ///
    /// Frames, trailers, errors and hints pass through untouched.
    #[derive(Debug)]
    pub struct RequestBody<B> {
        #[pin]
        body: B,
        report: Report,
    }
}

impl<B> RequestBody<B> {
    /// A body whose progress nobody asks for.
    pub(crate) fn unwatched(body: B) -> Self {
        Self::new(body, None)
    }

    /// Wraps a body; without `progress` nobody asks how far it got.
    pub(crate) fn new(body: B, progress: Option<Arc<Progress>>) -> Self {
        Self {
            body,
            report: Report(progress),
        }
    }
}

impl<B: Body> Body for RequestBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let this = self.project();
        let mut body = this.body;
        let frame = body.as_mut().poll_frame(cx);
        if let Some(progress) = &this.report.0 {
            match &frame {
                Poll::Pending => progress.state(Turn::Caller),
                Poll::Ready(Some(Ok(frame))) if frame.is_data() && !body.is_end_stream() => {
                    progress.state(Turn::Transport(Instant::now()));
                }
                Poll::Ready(_) => this.report.over(),
            }
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl<B: Default> Default for RequestBody<B> {
    /// The default body, watched by nobody.
    fn default() -> Self {
        Self::unwatched(B::default())
    }
}

/// States the end of the body once: at the last frame, or when it is dropped.
#[derive(Debug)]
struct Report(Option<Arc<Progress>>);

impl Report {
    #[inline]
    fn over(&mut self) {
        if let Some(progress) = self.0.take() {
            progress.state(Turn::Over(Instant::now()));
        }
    }
}

impl Drop for Report {
    #[inline]
    fn drop(&mut self) {
        self.over();
    }
}
