use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http::response;
use http_body::Body;
use outrigger_core::{BoxError, Deadline, Exponential};
use tokio::time::Instant;

use super::timer::Timer;
use super::verdict::Again;
use crate::budget::Payment;
use crate::policy::Policy;
use crate::response_body::Kept;
use crate::{Attempt, ReplayBody};

/// What a call needs to know once an attempt has failed.
pub(super) struct Trouble<B, R: Body, P> {
    /// The attempts that have ended.
    pub(super) attempts: Vec<Attempt>,
    /// The last answer, while another attempt is intended.
    pub(super) answer: Option<Answer<R>>,
    /// The request body of the next attempt.
    pub(super) next: Option<ReplayBody<B>>,
    /// What the next attempt costs, or the current one did.
    pub(super) payment: Option<Payment>,
    /// Whether the retry that is free and needs no pause was made.
    pub(super) free_used: bool,
    /// Whether the server has given an answer that is worth one more attempt only.
    pub(super) once_used: bool,
    /// Whether the call has waited for a local rejection.
    pub(super) has_waited: bool,
    pauses: P,
    throttled: Exponential,
    keep_until: Instant,
    resume_at: Instant,
    timer: Timer,
}

/// An answer that was worth another attempt.
pub(super) struct Answer<R: Body> {
    pub(super) head: response::Parts,
    /// Its body; `None` when that was too long to be kept.
    pub(super) kept: Option<Kept<R>>,
}

/// How long the body of an answer may take to be read before a pause.
const KEEPING: Duration = Duration::from_millis(20);

impl<B, R: Body, P: Iterator<Item = Duration> + Clone> Trouble<B, R, P> {
    /// The trouble of a call, begun if there was none before.
    pub(super) fn of<'a>(
        trouble: &'a mut Option<Box<Self>>,
        policy: &Policy<P>,
        now: Instant,
    ) -> &'a mut Self {
        trouble.get_or_insert_with(|| Box::new(Self::new(policy, now)))
    }

    fn new(policy: &Policy<P>, now: Instant) -> Self {
        Self {
            attempts: Vec::new(),
            answer: None,
            next: None,
            payment: None,
            free_used: false,
            once_used: false,
            has_waited: false,
            pauses: policy.pauses.clone(),
            throttled: policy.settings.throttled.clone(),
            keep_until: now,
            resume_at: now,
            timer: Timer::default(),
        }
    }

    /// Draws the next pause of the schedule; `None` when that has ended.
    pub(super) fn draw(&mut self, again: &Again) -> Option<Duration> {
        if again.throttled {
            self.throttled.next()
        } else {
            self.pauses.next()
        }
    }

    /// Pauses from now on.
    pub(super) fn pause(&mut self, now: Instant, pause: Duration) {
        self.keep_until = Deadline::after(now, KEEPING).instant();
        self.resume_at = Deadline::after(now, pause).instant();
    }
}

impl<B, R: Body, P> Trouble<B, R, P> {
    /// The error of the last attempt that was made, if it failed.
    pub(super) fn last_error(&mut self) -> Option<BoxError> {
        let mut made = self.attempts.iter_mut().rev();
        made.find(|attempt| !attempt.prevented)?.error.take()
    }

    /// Reads the answer's body, so that its connection is free and it can be returned after all.
    pub(super) fn poll_keep(&mut self, body: Pin<&mut R>, cx: &mut Context<'_>) -> Poll<()> {
        let Some(answer) = &mut self.answer else {
            return Poll::Ready(());
        };
        let whole = match &mut answer.kept {
            None => false,
            Some(kept) => match kept.poll_read(body, cx) {
                Poll::Ready(whole) => whole,
                Poll::Pending if self.timer.poll(self.keep_until, cx).is_pending() => {
                    return Poll::Pending;
                }
                Poll::Pending => false,
            },
        };
        if !whole {
            answer.kept = None;
        }
        Poll::Ready(())
    }

    /// Waits for the end of the pause.
    pub(super) fn poll_pause(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.resume_at <= Instant::now() {
            return Poll::Ready(());
        }
        self.timer.poll(self.resume_at, cx)
    }
}
