use outrigger_core::Endpoint;
use tokio::time::Instant;

/// Names a connection: its endpoint's slot, and a number that is never given twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub(super) slot: usize,
    pub(super) connection: u64,
}

/// A place on a connection.
#[derive(Debug)]
pub(crate) struct Lease<H> {
    pub(crate) key: Key,
    pub(crate) handle: H,
}

/// What a call is offered.
#[derive(Debug)]
pub(crate) enum Place<H> {
    Lease(Lease<H>),
    /// There is none: the call may wait at this slot.
    Wait(usize),
}

/// What is to be done about a connection whose socket is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Watch {
    /// It is to be looked at again then.
    Until(Instant),
    /// It should have closed by itself.
    Kill,
    /// The pool knows nothing of it.
    Gone,
}

/// What the shell must do next.
#[derive(Debug)]
pub(crate) enum Step<H, W> {
    /// Hand this place to this waiter.
    Grant(W, Lease<H>),
    /// Open a connection to this endpoint.
    Connect(Key, Endpoint),
    /// Come back to this slot at this time, by [`Pool::wake`].
    Alarm(usize, Instant),
    /// Let go of this handle: its connection takes no new calls and ends with its last stream.
    Discard(H),
}
