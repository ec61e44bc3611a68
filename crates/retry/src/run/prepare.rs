//! Whether another attempt is made.

use std::time::Duration;

use http_body::Body;
use outrigger_core::call;
use tokio::time::Instant;

use super::Run;
use super::pause::pause;
use super::trouble::Trouble;
use super::verdict::Again;

impl<B, R, P> Run<B, R, P>
where
    R: Body,
    P: Iterator<Item = Duration> + Clone,
{
    /// Decides on another attempt, while all that can forbid it is known and the answer is in hand.
    pub(super) fn prepare(&mut self, again: &Again, now: Instant) -> bool {
        self.made < self.plan.attempts && self.try_prepare(again, now).is_some()
    }

    fn try_prepare(&mut self, again: &Again, now: Instant) -> Option<()> {
        let left = self.left(now)?;
        let policy = &*self.policy;
        let trouble = Trouble::of(&mut self.trouble, policy, now);
        if again.once && trouble.once_used {
            return None;
        }
        let free = again.unprocessed && !trouble.free_used;
        let drawn = if free {
            Duration::ZERO
        } else {
            trouble.draw(again)?
        };
        let longest = policy.settings.longest_retry_after;
        let pause = pause(drawn, again.asked, longest, left, fastrand::u64(..))?;
        let payment = match policy.budgets.to_pay(self.head.uri(), now) {
            Some(budget) if !free => Some(budget.pay(again.throttled, now)?),
            _ => None,
        };
        trouble.next = Some(self.replay.again()?);
        trouble.payment = payment;
        trouble.free_used |= free;
        trouble.once_used |= again.once;
        trouble.pause(now, pause);
        Some(())
    }

    /// Decides to wait for the end of a local rejection. What was paid for the attempt that it
    /// prevented is there for the next one.
    pub(super) fn prepare_to_wait(&mut self, retry_at: Option<Instant>, now: Instant) -> bool {
        if let Some(trouble) = &mut self.trouble
            && let Some(payment) = &mut trouble.payment
        {
            payment.take_back();
        }
        !self.policy.settings.wait_for_rejections.is_zero()
            && self.try_wait(retry_at, now).is_some()
    }

    fn try_wait(&mut self, retry_at: Option<Instant>, now: Instant) -> Option<()> {
        let asked = retry_at?.saturating_duration_since(now);
        let left = self.left(now)?;
        let policy = &*self.policy;
        let longest = policy.settings.wait_for_rejections;
        let trouble = Trouble::of(&mut self.trouble, policy, now);
        if trouble.has_waited {
            return None;
        }
        let pause = pause(
            Duration::ZERO,
            Some(asked),
            longest,
            left,
            fastrand::u64(..),
        )?;
        trouble.next = Some(self.replay.again()?);
        trouble.has_waited = true;
        trouble.pause(now, pause);
        Some(())
    }

    /// What is left for a pause before the call's deadline; `None` when no attempt fits any more.
    fn left(&self, now: Instant) -> Option<Duration> {
        let deadline = call::current().and_then(|call| call.deadline());
        let Some(deadline) = deadline else {
            return Some(Duration::MAX);
        };
        deadline
            .remaining(now)
            .checked_sub(self.policy.settings.shortest)
    }
}
