use std::{fmt, future::pending, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Request, Response};

use crate::{Body, BoxError, Reply, time::pause};

/// What becomes of a request: a [`Reply`], an error, silence, or whatever a closure makes of it.
#[derive(Clone)]
pub struct Outcome {
    what: What,
    after: Duration,
}

#[derive(Clone)]
enum What {
    Reply(Reply),
    Error(Arc<dyn Fn() -> BoxError + Send + Sync>),
    With(Arc<dyn Fn(Request<Bytes>) -> Reply + Send + Sync>),
    Never,
}

impl Outcome {
    /// Fails with an error, made anew for each request.
    pub fn error<E: Into<BoxError>>(error: impl Fn() -> E + Send + Sync + 'static) -> Self {
        What::Error(Arc::new(move || error().into())).into()
    }

    /// Answers with what the closure makes of the request.
    pub fn with(answer: impl Fn(Request<Bytes>) -> Reply + Send + Sync + 'static) -> Self {
        What::With(Arc::new(answer)).into()
    }

    /// Never answers.
    #[must_use]
    pub fn never() -> Self {
        What::Never.into()
    }

    /// Sets how long after the request it comes, on tokio's pausable clock; zero by default. A
    /// reply's own delay follows this one.
    #[must_use]
    pub fn after(mut self, after: Duration) -> Self {
        self.after = after;
        self
    }

    pub(super) async fn given(self, request: Request<Bytes>) -> Result<Response<Body>, BoxError> {
        if !self.after.is_zero() {
            pause(self.after).await;
        }
        match self.what {
            What::Reply(reply) => Ok(reply.given().await),
            What::With(answer) => Ok(answer(request).given().await),
            What::Error(error) => Err(error()),
            What::Never => pending().await,
        }
    }
}

impl From<Reply> for Outcome {
    fn from(reply: Reply) -> Self {
        What::Reply(reply).into()
    }
}

impl From<What> for Outcome {
    fn from(what: What) -> Self {
        Self {
            what,
            after: Duration::ZERO,
        }
    }
}

impl fmt::Debug for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.what {
            What::Reply(reply) => reply.fmt(f),
            What::Error(_) => f.write_str("Error"),
            What::With(_) => f.write_str("With"),
            What::Never => f.write_str("Never"),
        }
    }
}
