use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use outrigger_core::BoxError;

/// A request body of any kind, so that calls with different bodies share one pool. The default is an
/// empty one.
///
/// Take this one rather than http-body-util's boxed bodies with a [`BoxError`]. They name the lifetime
/// within `Box<dyn Error>`, which rustc loses sight of in a spawned future (rust-lang/rust#110338):
/// it then says that the "implementation of `Service` is not general enough".
///
/// ```
/// use http::Request;
/// use http_body_util::{Empty, Full};
/// use outrigger_connector::{AnyBody, Connector, HttpVersion};
/// # use outrigger_testkit::{Server, upstream::Upstream};
/// use tower::ServiceExt;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let server = Server::bind(Upstream::new()).await?;
/// let connector = Connector::new().http(HttpVersion::H2c);
/// let get = Request::get(server.url("/")).body(AnyBody::new(Empty::new()))?;
/// let post = Request::post(server.url("/echo")).body(AnyBody::new(Full::from("hello")))?;
/// connector.clone().oneshot(get).await?;
/// connector.clone().oneshot(post).await?;
/// assert_eq!(connector.snapshot().connections(), 1);
/// # Ok(())
/// # }
/// ```
#[derive(Default)]
pub struct AnyBody(Option<Pin<Box<dyn Erased>>>);

/// A body without its type.
trait Erased: Send {
    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>>;

    fn is_end_stream(&self) -> bool;

    fn size_hint(&self) -> SizeHint;
}

impl<B> Erased for B
where
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send,
{
    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        Body::poll_frame(self, cx).map_err(Into::into)
    }

    fn is_end_stream(&self) -> bool {
        Body::is_end_stream(self)
    }

    fn size_hint(&self) -> SizeHint {
        Body::size_hint(self)
    }
}

impl AnyBody {
    /// Boxes a body; one that has ended already needs no box.
    pub fn new<B>(body: B) -> Self
    where
        B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        if body.is_end_stream() {
            return Self::default();
        }
        Self(Some(Box::pin(body)))
    }
}

impl Body for AnyBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match &mut self.0 {
            Some(body) => body.as_mut().poll_frame(cx),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.0.as_ref().is_none_or(|body| body.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Some(body) => body.size_hint(),
            None => SizeHint::with_exact(0),
        }
    }
}

impl fmt::Debug for AnyBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnyBody").finish_non_exhaustive()
    }
}
