//! What the layers of one logical call tell each other: the deadline, the attempt's number, whether
//! the request was dispatched.
//!
//! The outermost layer of a stack holds the [`Call`] in its response future (a [`Scope`]) and swaps
//! it into a thread-local around `call` and around every `poll`; the layers inside read and write it
//! there, synchronously, with [`current`] and [`update`]. Nothing is allocated, and the request's
//! extensions stay the caller's own.
//!
//! The other way is one `Arc` in the extensions. Both were built and measured (`benches/`, one call
//! through an outermost layer and a transport that reports its dispatch): the scope adds 135
//! instructions and no allocation, the extension 1,041 and four.
//!
//! Where a service runs its inner service elsewhere (`tokio::spawn`, `tower::buffer`, tonic's
//! `Channel`) the Call is absent. Every layer works without it: each reads the caller's wishes from
//! the request's extensions as well, and times an attempt from its own `call`.
//!
//! ```
//! use outrigger_core::call::{self, Scope};
//!
//! let mut outermost = Scope::join();
//! outermost.run(|| {
//!     let mut inner = Scope::join(); // finds the Call above and adds nothing
//!     inner.run(|| call::update(|call| call.begin_attempt()));
//! });
//! assert_eq!(outermost.call().map(|call| call.attempt()), Some(1));
//! assert!(call::current().is_none());
//! ```

use std::cell::Cell;
use std::marker::PhantomData;
use std::mem;
use std::time::Duration;

use tokio::time::Instant;

use crate::Deadline;

thread_local! {
    static CURRENT: Cell<Option<Call>> = const { Cell::new(None) };
}

/// What the layers of one logical call tell each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Call {
    deadline: Option<Deadline>,
    /// When the deadline was set.
    since: Option<Instant>,
    dispatch: Dispatch,
    timer: Option<Instant>,
    attempt: u32,
    launched: bool,
    sent: bool,
    key_honoured: bool,
    repeated: bool,
}

/// How far the transport has got with the current attempt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Dispatch {
    /// The transport below does not report: time runs from its `call`.
    #[default]
    Unreported,
    /// The request waits, in the transport or above it, and was not handed to a connection: of this
    /// attempt nothing was sent.
    Waiting,
    /// The request was handed to a connection at this instant.
    Sent(Instant),
}

impl Call {
    /// Shortens the deadline at `now`; a later one than the present changes nothing.
    pub fn shorten(&mut self, deadline: Deadline, now: Instant) {
        if self.deadline.is_none_or(|present| deadline < present) {
            self.deadline = Some(deadline);
            self.since = Some(now);
        }
    }

    /// Begins an attempt: counts it and forgets how far the one before had got.
    pub fn begin_attempt(&mut self) {
        self.attempt = self.attempt.saturating_add(1);
        self.forget_dispatch();
    }

    /// States that a layer above the transport holds the request back: so far nothing of this attempt
    /// was sent.
    pub fn hold(&mut self) {
        self.forget_dispatch();
        self.dispatch = Dispatch::Waiting;
    }

    /// States that the request goes down now and may be sent, whether or not the transport reports.
    /// Forgets how far the attempt before had got; a layer further in that states the same of an
    /// attempt that was [begun](Self::begin_attempt) and launched further out adds nothing.
    pub fn launch(&mut self) {
        let launched_further_out =
            self.attempt > 0 && self.launched && self.dispatch == Dispatch::Unreported;
        if !launched_further_out {
            self.forget_dispatch();
        }
        self.launched = true;
    }

    /// Reports how far the transport has got with the request.
    pub fn report(&mut self, dispatch: Dispatch) {
        self.dispatch = dispatch;
        self.sent |= matches!(dispatch, Dispatch::Sent(_));
    }

    /// States the instant at which a timer below will wake this task, or that there is none.
    pub fn set_timer(&mut self, at: Option<Instant>) {
        self.timer = at;
    }

    /// States that the server is known to honour this call's idempotency key.
    pub fn honour_key(&mut self) {
        self.key_honoured = true;
    }

    /// States that the key was dropped on the way to another origin, where nobody honours it.
    pub fn drop_key(&mut self) {
        self.key_honoured = false;
    }

    /// States whether the layer whose inner service is called or polled now sends the request again
    /// when need be.
    pub fn set_repeated(&mut self, repeated: bool) {
        self.repeated = repeated;
    }

    /// The instant after which nobody wants the answer.
    pub fn deadline(&self) -> Option<Deadline> {
        self.deadline
    }

    /// How long the call was allowed to take when its deadline was set; zero without a deadline.
    pub fn patience(&self) -> Duration {
        match (self.deadline, self.since) {
            (Some(deadline), Some(since)) => deadline.remaining(since),
            _ => Duration::ZERO,
        }
    }

    /// Whether this call may have sent anything, in this attempt or in one before. Where it is
    /// `false`, a layer [launched](Self::launch) nothing and no transport reported a dispatch.
    pub fn may_have_sent(&self) -> bool {
        self.sent || (self.launched && self.dispatch == Dispatch::Unreported)
    }

    /// How far the transport has got with the current attempt.
    pub fn dispatch(&self) -> Dispatch {
        self.dispatch
    }

    /// The instant at which a timer below wakes this task.
    pub fn timer(&self) -> Option<Instant> {
        self.timer
    }

    /// The ordinal of the current attempt, from 1; 0 where nothing counts attempts.
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// Whether the server is known to honour this call's idempotency key.
    pub fn key_honoured(&self) -> bool {
        self.key_honoured
    }

    /// Whether a layer further out sends the request again when need be: one further in leaves it to
    /// that one, or attempts would multiply.
    pub fn is_repeated(&self) -> bool {
        self.repeated
    }

    /// What an attempt may have sent outlives its report.
    #[inline]
    fn forget_dispatch(&mut self) {
        self.sent = self.may_have_sent();
        self.launched = false;
        self.dispatch = Dispatch::Unreported;
    }
}

/// The Call that this thread is working on, if any.
#[inline]
pub fn current() -> Option<Call> {
    CURRENT.get()
}

/// Changes the current Call; without one, does nothing.
#[inline]
pub fn update(change: impl FnOnce(&mut Call)) {
    if let Some(mut call) = CURRENT.get() {
        change(&mut call);
        CURRENT.set(Some(call));
    }
}

/// Keeps a [`Call`] between polls: a layer makes one in `call` and runs its inner service within it.
///
/// Only the outermost scope of a stack holds the Call; the others are empty and [`run`](Self::run)
/// costs them a branch.
#[derive(Debug)]
pub struct Scope {
    outermost: bool,
    /// The Call between runs, once there was one. During a run within another Call, that one.
    kept: Option<Call>,
}

impl Scope {
    /// Joins the Call that is current, or begins one when there is none.
    #[inline]
    pub fn join() -> Self {
        Self {
            outermost: CURRENT.get().is_none(),
            kept: None,
        }
    }

    /// Joins the Call that is current or begins one, and makes it current at once: for a layer's
    /// `call`, which runs once. [`Opened::close`] gives the scope for the polls that follow.
    ///
    /// ```
    /// use outrigger_core::call::{self, Scope};
    ///
    /// let opened = Scope::open();
    /// call::update(|call| call.begin_attempt()); // the inner service is called here
    /// let mut scope = opened.close();
    /// assert!(call::current().is_none());
    /// assert_eq!(scope.run(|| call::current().map(|call| call.attempt())), Some(1));
    /// ```
    #[inline]
    pub fn open() -> Opened {
        let outermost = CURRENT.get().is_none();
        if outermost {
            CURRENT.set(Some(Call::default()));
        }
        Opened {
            outermost,
            not_send: PhantomData,
        }
    }

    /// Begins a Call of its own, whatever is current; of that one it takes the deadline and nothing
    /// else. For a client that may be used inside another client's layers.
    pub fn begin() -> Self {
        let outer = CURRENT.get().unwrap_or_default();
        Self {
            outermost: true,
            kept: Some(Call {
                deadline: outer.deadline,
                since: outer.since,
                ..Call::default()
            }),
        }
    }

    /// Runs `f` with this scope's Call as the current one, and takes the Call back when `f` returns
    /// or panics.
    #[inline]
    pub fn run<R>(&mut self, f: impl FnOnce() -> R) -> R {
        let _entered = self.enter();
        f()
    }

    /// Makes this scope's Call the current one for as long as the guard lives: [`run`](Self::run)
    /// without a closure, for the paths that every call takes.
    #[inline]
    pub fn enter(&mut self) -> Entered<'_> {
        if !self.outermost {
            return Entered::nothing();
        }
        // A new Call is written from constants, not copied: every call comes by here.
        match self.kept {
            None => Entered::with(&mut self.kept, Some(Call::default())),
            kept => Entered::with(&mut self.kept, kept),
        }
    }

    /// The Call of this scope, between runs.
    #[inline]
    pub fn call(&self) -> Option<Call> {
        if self.outermost {
            Some(self.kept.unwrap_or_default())
        } else {
            current()
        }
    }
}

/// Runs `f` with no Call current: what it calls belongs to another logical call.
pub fn hidden<R>(f: impl FnOnce() -> R) -> R {
    let mut outer = None;
    let _entered = Entered::with(&mut outer, None);
    f()
}

/// A [`Scope`] that is current from its beginning. Dropped, it ends a Call that it began. Not `Send`,
/// so that none is held across an `await`.
#[derive(Debug)]
#[must_use = "the Call is current only while this lives"]
pub struct Opened {
    outermost: bool,
    not_send: PhantomData<*const ()>,
}

impl Opened {
    /// Takes the Call back.
    #[inline]
    pub fn close(mut self) -> Scope {
        let outermost = mem::take(&mut self.outermost);
        Scope {
            outermost,
            kept: if outermost { CURRENT.take() } else { None },
        }
    }
}

impl Drop for Opened {
    #[inline]
    fn drop(&mut self) {
        if self.outermost {
            CURRENT.set(None);
        }
    }
}

/// While it lives, a [`Scope`]'s Call is current; dropped, it takes that Call back and restores the
/// one before. Not `Send`, so that none is held across an `await`.
#[derive(Debug)]
#[must_use = "the Call is current only while this lives"]
pub struct Entered<'a> {
    kept: Option<&'a mut Option<Call>>,
    nested: bool,
    not_send: PhantomData<*const ()>,
}

impl<'a> Entered<'a> {
    #[inline]
    fn nothing() -> Self {
        Self {
            kept: None,
            nested: false,
            not_send: PhantomData,
        }
    }

    /// Makes `call` current; where another one is, keeps that in the meantime.
    #[inline]
    fn with(kept: &'a mut Option<Call>, call: Option<Call>) -> Self {
        let nested = CURRENT.get().is_some();
        if nested {
            *kept = CURRENT.get();
        }
        CURRENT.set(call);
        Self {
            kept: Some(kept),
            nested,
            not_send: PhantomData,
        }
    }
}

impl Drop for Entered<'_> {
    #[inline]
    fn drop(&mut self) {
        match self.kept.take() {
            None => {}
            Some(kept) if self.nested => *kept = CURRENT.replace(*kept),
            Some(kept) => *kept = CURRENT.take(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    #[test]
    fn the_outermost_scope_keeps_what_inner_layers_wrote() {
        let mut outer = Scope::join();
        outer.run(|| {
            let mut inner = Scope::join();
            inner.run(|| update(|call| call.report(Dispatch::Waiting)));
        });
        assert_eq!(current(), None);
        assert_eq!(
            outer.run(current).map(|call| call.dispatch()),
            Some(Dispatch::Waiting)
        );
    }

    #[test]
    fn a_panic_restores_the_thread_and_keeps_the_call() {
        let mut scope = Scope::join();
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            scope.run(|| {
                update(Call::begin_attempt);
                panic!("user code");
            })
        }));
        assert!(panicked.is_err());
        assert_eq!(current(), None);
        assert_eq!(scope.run(current).map(|call| call.attempt()), Some(1));
    }

    #[test]
    fn a_panic_ends_a_call_that_was_just_begun_and_no_other() {
        let panicked = catch_unwind(|| {
            let _opened = Scope::open();
            update(Call::begin_attempt);
            panic!("user code");
        });
        assert!(panicked.is_err());
        assert_eq!(current(), None);

        Scope::join().run(|| {
            update(Call::begin_attempt);
            drop(Scope::open());
            assert_eq!(Scope::open().close().call(), current());
            assert_eq!(current().map(|call| call.attempt()), Some(1));
        });
    }

    #[test]
    fn two_interleaved_calls_on_one_thread_do_not_mix() {
        let (mut a, mut b) = (Scope::join(), Scope::join());
        a.run(|| update(Call::begin_attempt));
        b.run(|| assert_eq!(current().map(|call| call.attempt()), Some(0)));
        a.run(|| b.run(|| update(Call::honour_key)));
        assert_eq!(a.run(current).map(|call| call.key_honoured()), Some(false));
        assert_eq!(b.run(current).map(|call| call.key_honoured()), Some(true));
    }

    #[test]
    fn a_call_within_a_call_takes_the_deadline_only() {
        let deadline = Deadline::at(Instant::now() + Duration::from_secs(1));
        let mut outer = Scope::join();
        outer.run(|| {
            update(|call| {
                call.shorten(deadline, Instant::now());
                call.begin_attempt();
                call.set_repeated(true);
            });
            let inner = Scope::begin().run(current).unwrap();
            assert_eq!((inner.deadline(), inner.attempt()), (Some(deadline), 0));
            assert!(!inner.is_repeated());
            hidden(|| assert_eq!(current(), None));
            assert_eq!(current().map(|call| call.attempt()), Some(1));
        });
    }

    #[test]
    fn a_key_that_was_dropped_is_not_honoured() {
        let mut call = Call::default();
        call.honour_key();
        assert!(call.key_honoured());
        call.drop_key();
        assert!(!call.key_honoured());
    }

    #[test]
    fn a_deadline_is_only_ever_shortened() {
        let now = Instant::now();
        let mut call = Call::default();
        for seconds in [2, 1, 3] {
            call.shorten(Deadline::after(now, Duration::from_secs(seconds)), now);
        }
        let second = Duration::from_secs(1);
        assert_eq!(call.deadline(), Some(Deadline::after(now, second)));
        assert_eq!(call.patience(), second);
    }

    #[test]
    fn an_attempt_that_two_layers_launch_is_one() {
        let mut call = Call::default();
        call.begin_attempt();
        call.launch();
        call.launch();
        assert!(call.may_have_sent(), "a transport that does not report");
        call.report(Dispatch::Waiting);
        assert!(!call.may_have_sent(), "one that does, and waits");

        let mut call = Call::default();
        call.launch();
        call.launch();
        call.report(Dispatch::Waiting);
        assert!(call.may_have_sent(), "two attempts that nobody counts");
    }

    #[test]
    fn what_one_attempt_may_have_sent_the_next_does_not_undo() {
        let mut call = Call::default();
        assert!(!call.may_have_sent());
        call.hold();
        call.launch();
        call.report(Dispatch::Waiting);
        call.begin_attempt();
        assert!(!call.may_have_sent(), "no attempt got beyond waiting");
        call.launch();
        assert!(call.may_have_sent(), "a transport that does not report");
        call.hold();
        assert!(call.may_have_sent(), "the attempt before");

        let mut call = Call::default();
        call.report(Dispatch::Sent(Instant::now()));
        call.report(Dispatch::Waiting);
        assert!(call.may_have_sent(), "reported, although never launched");
    }
}
