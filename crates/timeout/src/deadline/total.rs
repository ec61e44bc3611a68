use outrigger_core::call::Call;
use outrigger_core::{Deadline, Elapsed, Phase};
use tokio::time::Instant;

/// The clock of a whole call, if it has one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Total {
    begun: Instant,
    deadline: Option<Deadline>,
}

impl Total {
    pub(super) const fn new(begun: Instant, deadline: Option<Deadline>) -> Self {
        Self { begun, deadline }
    }

    pub(super) fn has_passed(&self, now: Instant) -> bool {
        self.deadline
            .is_some_and(|deadline| deadline.has_passed(now))
    }

    /// The instant at which the call ends.
    pub(super) fn end(&self) -> Option<Instant> {
        self.deadline.map(Deadline::instant)
    }

    /// The error that is due then.
    pub(super) fn elapsed(&self) -> Elapsed {
        let limit = self.deadline.map(|deadline| deadline.remaining(self.begun));
        Elapsed::new(Phase::Total, limit.unwrap_or_default())
    }

    /// The same for a request that is held in front of the transport: nothing of it was sent, and
    /// unless an earlier attempt was, nothing of the call. Without the Call nobody knows.
    pub(super) fn elapsed_before_dispatch(&self, call: Option<Call>) -> Elapsed {
        if call.is_none_or(|call| call.may_have_sent()) {
            self.elapsed()
        } else {
            self.elapsed().unsent()
        }
    }
}
