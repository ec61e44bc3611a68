//! What is told of the attempts.

use std::mem;
use std::time::Duration;

use http_body::Body;
use outrigger_core::{BoxError, Outcome};
use tokio::time::Instant;

use super::Run;
use crate::{Attempt, Attempts};

impl<B, R: Body, P> Run<B, R, P> {
    /// Whether anybody wants to know of the last attempt.
    pub(super) fn is_watched(&self) -> bool {
        self.trouble.is_some() || self.policy.settings.hook.is_some()
    }

    /// The attempt that has just ended.
    pub(super) fn ended(&self, outcome: Outcome, error: Option<BoxError>, now: Instant) -> Attempt {
        let before = self
            .trouble
            .as_ref()
            .and_then(|trouble| trouble.attempts.last());
        Attempt {
            number: self.made,
            outcome,
            prevented: false,
            waited: before.map_or(Duration::ZERO, |before| self.started - before.ended),
            started: self.started,
            ended: now,
            error,
        }
    }

    /// The attempt that could not be made.
    pub(super) fn prevented(&self, reason: BoxError, now: Instant) -> Attempt {
        Attempt {
            number: self.made.saturating_add(1),
            prevented: true,
            ..self.ended(Outcome::Unsent, Some(reason), now)
        }
    }

    /// Writes down an attempt after which another one follows.
    pub(super) fn note(&mut self, attempt: Attempt) {
        self.see(&attempt);
        if let Some(trouble) = &mut self.trouble {
            trouble.attempts.push(attempt);
        }
    }

    pub(super) fn see(&self, attempt: &Attempt) {
        if let Some(hook) = &self.policy.settings.hook {
            hook.see(attempt);
        }
    }

    /// All attempts, if there was one before the last.
    pub(super) fn history(&mut self, last: Attempt) -> Option<Attempts> {
        let trouble = self.trouble.as_mut()?;
        let mut attempts = mem::take(&mut trouble.attempts);
        if attempts.is_empty() {
            return None;
        }
        attempts.push(last);
        Some(Attempts::new(attempts))
    }
}
