use std::{
    pin::Pin,
    task::{Context, Poll},
};

use http::{Method, Request, Response, request::Parts};
use http_body_util::{BodyExt, Limited};
use tower_service::Service;

use super::{Outcome, Received, Unmatched};
use crate::{Body, BoxError, Log, Route, routes::Routes};

/// A scripted `Service<http::Request<B>>` for any body. Clones share routes, counts and log.
///
/// It is always ready. A request is logged and counted in `call`; then its body is read, up to
/// [`MAX_BODY`](Self::MAX_BODY), before the outcome is given.
#[derive(Clone, Debug)]
pub struct Mock {
    routes: Routes<Outcome>,
    unmatched: Log<Unmatched>,
    log: Log<Received>,
}

impl Mock {
    /// The longest request body that is read, in bytes.
    pub const MAX_BODY: usize = 16 << 20;

    /// Makes a mock without routes, which takes no request at all.
    #[must_use]
    pub fn new() -> Self {
        Self {
            routes: Routes::new(),
            unmatched: Log::new(),
            log: Log::new(),
        }
    }

    /// Adds a route for GET on this path; a `*` at its end stands for anything.
    ///
    /// Of several routes that take a request the one added first gets it.
    pub fn get(&self, path: &str) -> Route<Outcome> {
        self.on(Method::GET, path)
    }

    /// Adds a route for POST on this path; a `*` at its end stands for anything.
    pub fn post(&self, path: &str) -> Route<Outcome> {
        self.on(Method::POST, path)
    }

    /// Adds a route for a method on this path; a `*` at its end stands for anything.
    pub fn on(&self, method: Method, path: &str) -> Route<Outcome> {
        self.routes.add(Some(method), path)
    }

    /// Adds a route for all methods on this path; a `*` at its end stands for anything.
    pub fn any(&self, path: &str) -> Route<Outcome> {
        self.routes.add(None, path)
    }

    /// Returns the log of all requests, oldest first, matched or not.
    #[must_use]
    pub fn log(&self) -> Log<Received> {
        self.log.clone()
    }

    /// Fails the test if a request came that no route takes, or if a route was not called as often as
    /// it [expects](Route::expect).
    ///
    /// # Panics
    ///
    /// When so.
    #[track_caller]
    pub fn assert_satisfied(&self) {
        let mut complaints: Vec<_> = self
            .unmatched
            .entries()
            .iter()
            .map(ToString::to_string)
            .collect();
        complaints.extend(self.routes.complaints());
        assert!(
            complaints.is_empty(),
            "the mock is not satisfied: {complaints:#?}"
        );
    }

    fn outcome(&self, head: &Parts) -> Result<Outcome, BoxError> {
        if let Some(route) = self.routes.find(head) {
            return Ok(route.next()?);
        }
        let request = format!("{} {}", head.method, head.uri.path());
        let unmatched = Unmatched {
            request,
            routes: self.routes.names(),
        };
        self.unmatched.push(unmatched.clone())?;
        Err(unmatched.into())
    }
}

impl Default for Mock {
    fn default() -> Self {
        Self::new()
    }
}

impl<B> Service<Request<B>> for Mock
where
    B: http_body::Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (head, body) = request.into_parts();
        let received = Received::new(head.clone());
        let logged = self.log.push(received.clone());
        let outcome = self.outcome(&head);
        Box::pin(async move {
            logged?;
            let outcome = outcome?;
            let body = Limited::new(body, Self::MAX_BODY)
                .collect()
                .await?
                .to_bytes();
            received.read(body.clone());
            outcome.given(Request::from_parts(head, body)).await
        })
    }
}
