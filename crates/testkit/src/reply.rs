use std::{fmt::Display, time::Duration};

use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};

use crate::{Body, time::pause};

/// An HTTP answer as a test wants it: status, headers, a scripted [`Body`], and when it comes.
///
/// ```
/// use std::time::Duration;
/// use outrigger_testkit::Reply;
///
/// let busy = Reply::status(503).header("retry-after", "1").after(Duration::from_millis(20));
/// let found = Reply::status(200).header("content-type", "application/json").body("{}");
/// ```
#[derive(Clone, Debug)]
pub struct Reply {
    status: StatusCode,
    headers: HeaderMap,
    body: Body,
    after: Duration,
}

impl Reply {
    /// Answers at once with this status, no headers and no body.
    ///
    /// # Panics
    ///
    /// When the status is not three digits.
    #[must_use]
    #[track_caller]
    pub fn status<S>(status: S) -> Self
    where
        S: TryInto<StatusCode>,
        S::Error: Display,
    {
        Self {
            status: valid("status", status.try_into()),
            headers: HeaderMap::new(),
            body: Body::empty(),
            after: Duration::ZERO,
        }
    }

    /// Adds a header; one that is there stays.
    ///
    /// # Panics
    ///
    /// When name or value cannot stand in a header.
    #[must_use]
    #[track_caller]
    pub fn header<N, V>(mut self, name: N, value: V) -> Self
    where
        N: TryInto<HeaderName>,
        N::Error: Display,
        V: TryInto<HeaderValue>,
        V::Error: Display,
    {
        let name = valid("header name", name.try_into());
        self.headers
            .append(name, valid("header value", value.try_into()));
        self
    }

    /// Sets the body; empty by default.
    #[must_use]
    pub fn body(mut self, body: impl Into<Body>) -> Self {
        self.body = body.into();
        self
    }

    /// Sets how long after the request the head comes, on tokio's pausable clock; zero by default.
    #[must_use]
    pub fn after(mut self, after: Duration) -> Self {
        self.after = after;
        self
    }

    /// Waits until it is time, and gives the answer.
    pub(crate) async fn given(self) -> Response<Body> {
        if !self.after.is_zero() {
            pause(self.after).await;
        }
        let mut response = Response::new(self.body);
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        response
    }
}

#[track_caller]
#[expect(clippy::panic, reason = "a test that scripts nonsense shall fail")]
fn valid<T, E: Display>(what: &str, value: Result<T, E>) -> T {
    match value {
        Ok(value) => value,
        Err(error) => panic!("{what}: {error}"),
    }
}
