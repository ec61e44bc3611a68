//! One call and its attempts.

mod history;
mod pause;
mod plan;
mod prepare;
mod pristine;
mod timer;
mod trouble;
mod verdict;

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::header::{HeaderName, HeaderValue};
use http::{Request, Response};
use http_body::Body;
use outrigger_core::{Blame, BoxError, Failure, Fault, Outcome, Rejected, find};
use tokio::time::Instant;

pub(crate) use self::plan::Plan;
pub(crate) use self::pristine::Pristine;
use self::trouble::{Answer, Trouble};
use crate::policy::Policy;
use crate::replay::Replay;
use crate::response_body::Kept;
use crate::{Attempts, Exhausted, ReplayBody, RetryAborted, RetryBody};

/// gRFC A6.
const GRPC_PREVIOUS_ATTEMPTS: HeaderName = HeaderName::from_static("grpc-previous-rpc-attempts");

/// One call that may be sent again: what it may do, what became of its attempts, and what is next.
pub(crate) struct Run<B, R: Body, P> {
    plan: Plan,
    policy: Arc<Policy<P>>,
    head: Pristine,
    replay: Replay<B>,
    /// How many attempts were made, the current one included.
    made: u32,
    started: Instant,
    trouble: Option<Box<Trouble<B, R, P>>>,
}

impl<B, R, P> Run<B, R, P>
where
    R: Body,
    P: Iterator<Item = Duration> + Clone,
{
    /// The request of the next attempt.
    ///
    /// # Errors
    /// None, as long as an attempt was prepared.
    pub(crate) fn request(&mut self) -> Result<Request<ReplayBody<B>>, BoxError> {
        let trouble = self.trouble.as_mut();
        let body = trouble.and_then(|trouble| trouble.next.take());
        let body = body.ok_or_else(|| {
            let fault = Fault::new(Outcome::Unsent).blame(Blame::Us).without_retry();
            Failure::new("the request's body is gone", fault)
        })?;
        let mut request = self.head.with(body);
        if verdict::is_grpc(&self.head) {
            let previous = HeaderValue::from(self.made);
            // A map too full for one more header goes without.
            let _ = request
                .headers_mut()
                .try_insert(GRPC_PREVIOUS_ATTEMPTS, previous);
        }
        let settings = &self.policy.settings;
        settings.number(request.headers_mut(), self.made.saturating_add(1));
        Ok(request)
    }

    /// The inner service is ready and is called now.
    pub(crate) fn launch(&mut self) {
        self.made = self.made.saturating_add(1);
        if let Some(trouble) = &mut self.trouble {
            self.started = Instant::now();
            if let Some(payment) = &mut trouble.payment {
                payment.spend();
            }
        }
    }

    /// Judges an answer. One that is not final has another attempt prepared.
    pub(crate) fn is_final(&mut self, response: &Response<R>) -> bool {
        let Some(again) = verdict::of_answer(&self.plan, &self.head, response) else {
            self.earn(response);
            return true;
        };
        let now = Instant::now();
        let prepared = self.prepare(&again, now);
        if prepared {
            let outcome = Outcome::Answered(response.status());
            self.note(self.ended(outcome, None, now));
        }
        !prepared
    }

    /// Gives out the final answer.
    pub(crate) fn respond(&mut self, response: Response<R>) -> Response<RetryBody<R>> {
        if !self.is_watched() {
            return response.map(RetryBody::live);
        }
        let outcome = Outcome::Answered(response.status());
        let attempt = self.ended(outcome, None, Instant::now());
        self.see(&attempt);
        with(self.history(attempt), response.map(RetryBody::live))
    }

    /// Judges an error: what the call ends with, or `None` when another attempt is prepared.
    pub(crate) fn failed(
        &mut self,
        error: BoxError,
    ) -> Option<Result<Response<RetryBody<R>>, BoxError>> {
        let (fault, now) = (Fault::of(&*error), Instant::now());
        if let Some(rejected) = rejection(&fault, &error) {
            let retry_at = rejected.retry_at();
            self.made = self.made.saturating_sub(1);
            if self.prepare_to_wait(retry_at, now) {
                self.note(self.prevented(error, now));
                return None;
            }
            return Some(self.give_up(error, now));
        }
        // Where a retry layer further in has given up, this one does not begin.
        let exhausted = find::<Exhausted>(&*error).is_some();
        let again = verdict::of_error(&self.plan, &fault).filter(|_| !exhausted);
        if again.is_some_and(|again| self.prepare(&again, now)) {
            self.note(self.ended(fault.outcome, Some(error), now));
            return None;
        }
        if !self.is_watched() {
            return Some(Err(error));
        }
        let mut attempt = self.ended(fault.outcome, Some(error), now);
        self.see(&attempt);
        let error = attempt.take_error();
        Some(Err(fail(error, self.history(attempt))))
    }

    /// Takes an answer aside that is not final. Its body is read next, unless it is known to be too
    /// long.
    pub(crate) fn keep(&mut self, response: Response<R>) -> Option<R> {
        let (head, body) = response.into_parts();
        let kept = Kept::of(&body);
        let hopeless = kept.is_hopeless();
        if let Some(trouble) = &mut self.trouble {
            let kept = (!hopeless).then_some(kept);
            trouble.answer = Some(Answer { head, kept });
        }
        (!hopeless).then_some(body)
    }

    /// The next attempt cannot be made: what the call has got so far is what it gets.
    pub(crate) fn give_up(
        &mut self,
        reason: BoxError,
        now: Instant,
    ) -> Result<Response<RetryBody<R>>, BoxError> {
        let mut prevented = self.prevented(reason, now);
        self.see(&prevented);
        let (answer, error) = match &mut self.trouble {
            Some(trouble) => (trouble.answer.take(), trouble.last_error()),
            None => (None, None),
        };
        match (answer, error) {
            (_, Some(error)) => Err(fail(error, self.history(prevented))),
            (None, None) => Err(prevented.take_error()),
            (
                Some(Answer {
                    head,
                    kept: Some(kept),
                }),
                None,
            ) => {
                let attempts = self.history(prevented);
                let response = Response::from_parts(head, RetryBody::kept(kept));
                Ok(with(attempts, response))
            }
            (Some(Answer { head, kept: None }), None) => {
                let aborted = RetryAborted::new(head.status, prevented.take_error());
                let attempts = self.history(prevented).filter(|_| self.made > 1);
                Err(fail(aborted.into(), attempts))
            }
        }
    }

    /// A call that succeeded pays back into the budget.
    fn earn(&self, response: &Response<R>) {
        if !self.policy.budgets.are_untouched()
            && let Some(budget) = self.policy.budgets.of(self.head.uri())
            && verdict::succeeded(response)
        {
            let trouble = self.trouble.as_ref();
            budget.earn(trouble.and_then(|trouble| trouble.payment.as_ref()));
        }
    }
}

impl<B, R: Body, P> Run<B, R, P> {
    /// A call of which no attempt is made yet.
    #[inline]
    pub(crate) fn new(
        plan: Plan,
        policy: Arc<Policy<P>>,
        head: Pristine,
        replay: Replay<B>,
        made: u32,
    ) -> Self {
        Self {
            plan,
            policy,
            head,
            replay,
            made,
            started: Instant::now(),
            trouble: None,
        }
    }

    /// How many attempts were made.
    pub(crate) fn made(&self) -> u32 {
        self.made
    }

    /// Reads the body of an answer that is kept.
    pub(crate) fn poll_keep(&mut self, body: Pin<&mut R>, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.trouble {
            Some(trouble) => trouble.poll_keep(body, cx),
            None => Poll::Ready(()),
        }
    }

    /// Waits for the end of the pause.
    pub(crate) fn poll_pause(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.trouble {
            Some(trouble) => trouble.poll_pause(cx),
            None => Poll::Ready(()),
        }
    }
}

/// The local rejection that an error is, unless something else was the matter.
fn rejection<'a>(fault: &Fault, error: &'a BoxError) -> Option<&'a Rejected> {
    let local = (fault.outcome, fault.blame) == (Outcome::Unsent, Blame::Us);
    local.then(|| find(&**error)).flatten()
}

fn with<R>(attempts: Option<Attempts>, mut response: Response<R>) -> Response<R> {
    if let Some(attempts) = attempts {
        response.extensions_mut().insert(attempts);
    }
    response
}

fn fail(error: BoxError, attempts: Option<Attempts>) -> BoxError {
    match attempts {
        Some(attempts) => Exhausted::new(attempts, error).into(),
        None => error,
    }
}
