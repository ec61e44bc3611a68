use std::mem;
use std::sync::Arc;

use outrigger_core::Verdict;
use outrigger_core::call::{self, Dispatch};
use tokio::time::Instant;

use crate::Open;
use crate::entry::Entry;
use crate::ticket::Ticket;

/// A call on its way through a circuit, up to its answer.
#[derive(Debug)]
pub(crate) struct Guard {
    pub(crate) ticket: Ticket,
    progress: Progress,
}

/// How far the call has got.
#[derive(Clone, Copy, Debug)]
enum Progress {
    /// It waits, for the inner service, in the transport or in a layer above that.
    Held,
    /// It was called, and as far as is known dispatched, at this instant: none where nobody asked for it.
    Under(Option<Instant>),
}

impl Guard {
    #[inline(always)]
    pub(crate) fn new(entry: Arc<Entry>) -> Self {
        Self {
            ticket: Ticket::new(entry),
            progress: Progress::Under(None),
        }
    }

    /// Refuses the call, or says that it would be admitted now.
    #[inline]
    pub(crate) fn check(&self) -> Result<(), Open> {
        self.ticket.entry().check()
    }

    /// Lets the call through, or refuses it.
    #[inline]
    pub(crate) fn admit(&mut self) -> Result<(), Open> {
        self.ticket.admit()?;
        self.progress = Progress::Under(None);
        if self.ticket.entry().minds_time() {
            self.progress = Progress::Under(Some(Instant::now()));
        }
        Ok(())
    }

    /// Runs the inner service. A panic of it is a failure.
    #[inline(always)]
    pub(crate) fn run<R>(&mut self, inner: impl FnOnce() -> R) -> R {
        let within = Within(&mut self.ticket);
        let result = inner();
        mem::forget(within);
        result
    }

    /// The call waits for the inner service, or below it.
    pub(crate) fn hold(&mut self) {
        self.progress = Progress::Held;
    }

    #[inline]
    pub(crate) fn is_held(&self) -> bool {
        matches!(self.progress, Progress::Held)
    }

    /// Whether the call, which may go on to be dispatched now, is refused after all: while it was held back
    /// below its circuit has changed its state, or its lease as a probe has ended, and admits no other.
    pub(crate) fn recall(&mut self) -> Result<(), Open> {
        match self.ticket.lapse() {
            true => self.admit(),
            false => Ok(()),
        }
    }

    /// Looks how far the call has got, after a poll that left it pending.
    #[inline]
    pub(crate) fn look(&mut self) {
        let Some(call) = call::current() else {
            return;
        };
        match (call.dispatch(), self.progress) {
            (Dispatch::Waiting, _) => self.hold(),
            (Dispatch::Sent(at), Progress::Under(Some(since))) if at <= since => {}
            (Dispatch::Sent(at), _) => self.dispatched(at),
            (_, Progress::Held) => self.dispatched(Instant::now()),
            _ => {}
        }
    }

    /// Counts the call as a success where that needs no thought, and says whether it did; the last word
    /// on it, where its end has come.
    #[inline(always)]
    pub(crate) fn succeed(&mut self, ended: bool) -> bool {
        !self.ticket.entry().minds_time() && self.ticket.succeed(ended, Instant::now())
    }

    /// Notes of a call that is still out whether it has taken too long so far: its head or its error has
    /// come, or nobody waits for it any longer.
    #[inline]
    pub(crate) fn note_if_late(&mut self) {
        if self.ticket.entry().minds_time() && self.is_slow(Instant::now()) {
            self.ticket.note_late();
        }
    }

    /// Whether the call has taken too long, as far as its time is known.
    #[cold]
    fn is_slow(&self, now: Instant) -> bool {
        match self.progress {
            Progress::Under(Some(since)) => self.ticket.entry().is_slow(since, now),
            _ => false,
        }
    }

    fn dispatched(&mut self, at: Instant) {
        self.progress = Progress::Under(Some(at));
        self.ticket.dispatched(at);
    }
}

/// While it lives, the inner service is at work: that it is dropped is a panic of it.
struct Within<'a>(&'a mut Ticket);

impl Drop for Within<'_> {
    #[cold]
    fn drop(&mut self) {
        self.0.finish(Verdict::Failure, Instant::now());
    }
}
