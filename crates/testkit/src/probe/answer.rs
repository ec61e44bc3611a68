use std::{
    any::type_name,
    fmt,
    task::{Context, Poll},
};

use tower_service::Service;

use crate::BoxError;

/// A service that is always ready and answers with a closure.
#[derive(Clone)]
pub struct Answer<F> {
    answer: F,
}

impl<F> Answer<F> {
    /// Answers each request with what this closure returns.
    pub fn new(answer: F) -> Self {
        Self { answer }
    }
}

impl<F, Fut, Req, Res> Service<Req> for Answer<F>
where
    F: FnMut(Req) -> Fut,
    Fut: Future<Output = Result<Res, BoxError>>,
{
    type Response = Res;
    type Error = BoxError;
    type Future = Fut;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Req) -> Fut {
        (self.answer)(request)
    }
}

impl<F> fmt::Debug for Answer<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer")
            .field("answer", &type_name::<F>())
            .finish()
    }
}
