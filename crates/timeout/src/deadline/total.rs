use outrigger_core::call::{self, Call};
use outrigger_core::{BoxError, Deadline, Elapsed, Phase};
use tokio::time::Instant;

/// The clock of a whole call, if it has one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Total {
    begun: Instant,
    deadline: Option<Deadline>,
    body: bool,
}

impl Total {
    /// A call that began at an instant and has until `deadline`; with `body`, for the response body too.
    #[inline]
    pub(super) const fn new(begun: Instant, deadline: Option<Deadline>, body: bool) -> Self {
        Self {
            begun,
            deadline,
            body,
        }
    }

    /// Lets the layers below know the deadline.
    #[inline]
    pub(super) fn bound(&self) {
        if let Some(deadline) = self.deadline {
            call::update(|call| call.shorten(deadline, self.begun));
        }
    }

    /// Whether the call has no time at all.
    #[inline]
    pub(super) fn is_over_at_once(&self) -> bool {
        self.has_passed(self.begun)
    }

    #[inline]
    pub(super) fn has_passed(&self, now: Instant) -> bool {
        self.deadline
            .is_some_and(|deadline| deadline.has_passed(now))
    }

    /// The instant at which the call ends.
    pub(super) fn end(&self) -> Option<Instant> {
        self.deadline.map(Deadline::instant)
    }

    /// Whether the response body must end in time as well.
    #[inline]
    pub(super) const fn watches_body(&self) -> bool {
        self.body
    }

    /// The error that is due then.
    pub(super) fn elapsed(&self) -> Elapsed {
        let limit = self.deadline.map(|deadline| deadline.remaining(self.begun));
        Elapsed::new(Phase::Total, limit.unwrap_or_default())
    }

    /// The same for a request that is held in front of the transport: nothing of it was sent, and
    /// unless an earlier attempt was, nothing of the call. Without the Call nobody knows.
    pub(super) fn elapsed_before_dispatch(&self, call: Option<Call>) -> BoxError {
        if call.is_none_or(|call| call.may_have_sent()) {
            self.elapsed().into()
        } else {
            self.elapsed().unsent().into()
        }
    }
}
