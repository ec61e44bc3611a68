use std::{
    collections::VecDeque,
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Frame, SizeHint};

use crate::{BoxError, time::pause};

/// A scripted body: data, pauses, trailers and failures, in the order they were written down.
///
/// It serves as a request's body as well as a response's. Pauses follow tokio's pausable clock. A
/// clone begins where the original stands, with its pause anew.
///
/// ```
/// use std::time::Duration;
/// use http_body_util::BodyExt;
/// use outrigger_testkit::Body;
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() {
/// let mut body = Body::empty().data("one").pause(Duration::from_secs(5)).fail(|| "cut");
/// assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "one");
/// let before = tokio::time::Instant::now();
/// assert_eq!(body.frame().await.unwrap().unwrap_err().to_string(), "cut");
/// assert_eq!(before.elapsed(), Duration::from_secs(5));
/// assert!(body.frame().await.is_none());
/// # }
/// ```
#[derive(Default)]
pub struct Body {
    steps: VecDeque<Step>,
    timer: Option<Pin<Box<dyn Future<Output = ()> + Send + Sync>>>,
}

#[derive(Clone)]
enum Step {
    Data(Bytes),
    Drip {
        bytes: Bytes,
        size: usize,
        pause: Duration,
    },
    Pause(Duration),
    Trailers(HeaderMap),
    Fail(Arc<dyn Fn() -> BoxError + Send + Sync>),
    Hang,
}

impl Body {
    /// Makes a body that is at its end.
    #[must_use]
    pub fn empty() -> Self {
        Self::default()
    }

    /// Makes a body that comes in pieces of `size` bytes, at least one, with a pause before each but
    /// the first.
    #[must_use]
    pub fn drip(bytes: impl Into<Bytes>, size: usize, pause: Duration) -> Self {
        let (bytes, size) = (bytes.into(), size.max(1));
        if bytes.is_empty() {
            Self::empty()
        } else {
            Self::empty().then(Step::Drip { bytes, size, pause })
        }
    }

    /// Adds one frame of data.
    #[must_use]
    pub fn data(self, data: impl Into<Bytes>) -> Self {
        self.then(Step::Data(data.into()))
    }

    /// Adds a pause.
    #[must_use]
    pub fn pause(self, pause: Duration) -> Self {
        self.then(Step::Pause(pause))
    }

    /// Adds trailers, which end the body.
    #[must_use]
    pub fn trailers(self, trailers: HeaderMap) -> Self {
        self.then(Step::Trailers(trailers))
    }

    /// Adds a failure, which ends the body.
    #[must_use]
    pub fn fail<E: Into<BoxError>>(self, error: impl Fn() -> E + Send + Sync + 'static) -> Self {
        self.then(Step::Fail(Arc::new(move || error().into())))
    }

    /// Adds silence: nothing comes any more, and no end either.
    #[must_use]
    pub fn hang(self) -> Self {
        self.then(Step::Hang)
    }

    fn then(mut self, step: Step) -> Self {
        self.steps.push_back(step);
        self
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        loop {
            if let Some(timer) = &mut self.timer {
                ready!(timer.as_mut().poll(cx));
                self.timer = None;
            }
            return Poll::Ready(match self.steps.pop_front() {
                None => None,
                Some(Step::Data(data)) => Some(Ok(Frame::data(data))),
                Some(Step::Drip {
                    mut bytes,
                    size,
                    pause,
                }) => {
                    let piece = bytes.split_to(size.min(bytes.len()));
                    if !bytes.is_empty() {
                        self.steps.push_front(Step::Drip { bytes, size, pause });
                        self.steps.push_front(Step::Pause(pause));
                    }
                    Some(Ok(Frame::data(piece)))
                }
                Some(Step::Trailers(trailers)) => {
                    self.steps.clear();
                    Some(Ok(Frame::trailers(trailers)))
                }
                Some(Step::Fail(error)) => {
                    self.steps.clear();
                    Some(Err(error()))
                }
                Some(Step::Pause(duration)) => {
                    self.timer = Some(Box::pin(pause(duration)));
                    continue;
                }
                Some(Step::Hang) => {
                    self.steps.push_front(Step::Hang);
                    return Poll::Pending;
                }
            });
        }
    }

    fn is_end_stream(&self) -> bool {
        self.steps.is_empty() && self.timer.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        let mut size = SizeHint::new();
        let data = self.steps.iter().map(|step| match step {
            Step::Data(data) | Step::Drip { bytes: data, .. } => data.len() as u64,
            _ => 0,
        });
        size.set_lower(data.sum());
        // A known size would become a content-length, which leaves no room for trailers, and which a
        // body that breaks off does not keep.
        if self
            .steps
            .iter()
            .all(|step| matches!(step, Step::Data(_) | Step::Drip { .. } | Step::Pause(_)))
        {
            size.set_upper(size.lower());
        }
        size
    }
}

impl Clone for Body {
    fn clone(&self) -> Self {
        Self {
            steps: self.steps.clone(),
            timer: None,
        }
    }
}

impl<T: Into<Bytes>> From<T> for Body {
    fn from(bytes: T) -> Self {
        let bytes = bytes.into();
        if bytes.is_empty() {
            Self::empty()
        } else {
            Self::empty().data(bytes)
        }
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.steps).finish()
    }
}

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Data(data) => write!(f, "{} bytes", data.len()),
            Self::Drip { bytes, .. } => write!(f, "{} bytes in drips", bytes.len()),
            Self::Pause(pause) => write!(f, "pause {pause:?}"),
            Self::Trailers(_) => f.write_str("trailers"),
            Self::Fail(_) => f.write_str("fail"),
            Self::Hang => f.write_str("hang"),
        }
    }
}
