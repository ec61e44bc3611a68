use std::fmt;
use std::sync::Arc;

/// In a request's extensions: how to make its body once more, from a file or whatever else it came from.
///
/// Nothing of such a body is kept, however long it is, and it can be sent again all the same: each
/// further attempt gets a body that was made for it. That must yield what the first one did.
///
/// `B` is the type of the request's body where it reaches the retry layer; one for another type is
/// passed over.
///
/// ```
/// use outrigger_retry::{Attempts, RetryLayer, Rewind};
/// use outrigger_testkit::{Body, Reply, mock::Mock};
/// use tower::{BoxError, Layer, ServiceExt};
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), BoxError> {
/// let server = Mock::new();
/// server.on(http::Method::PUT, "/backup").times(1, Reply::status(503)).always(Reply::status(201));
///
/// let megabyte = || Body::from(vec![7; 1024 * 1024]); // in earnest: opens a file
/// let request = http::Request::put("http://store.example/backup")
///     .extension(Rewind::new(megabyte))
///     .body(megabyte())?;
/// let response = RetryLayer::new().layer(server).oneshot(request).await?;
/// assert_eq!(response.status(), 201);
/// assert_eq!(response.extensions().get::<Attempts>().unwrap().made(), 2);
/// # Ok(())
/// # }
/// ```
pub struct Rewind<B>(Arc<dyn Fn() -> B + Send + Sync>);

impl<B> Rewind<B> {
    /// Makes the body of each further attempt with this. It is called when that attempt is decided, on
    /// the task of the call: what blocks or can fail belongs into the body.
    pub fn new(again: impl Fn() -> B + Send + Sync + 'static) -> Self {
        Self(Arc::new(again))
    }

    /// Another body like the first.
    pub fn body(&self) -> B {
        (self.0)()
    }
}

impl<B> Clone for Rewind<B> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<B> fmt::Debug for Rewind<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Rewind")
    }
}
