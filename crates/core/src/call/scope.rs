use std::marker::PhantomData;
use std::mem;

use super::marks::Marks;
use super::thread::{CURRENT, Current};
use super::{Call, current};

/// Keeps a [`Call`] between polls: a layer makes one in `call` and runs its inner service within it.
///
/// Only the outermost scope of a stack holds the Call; the others are empty and [`run`](Self::run)
/// costs them a branch.
#[derive(Debug)]
pub struct Scope {
    /// The Call between runs; during a run what was current before, mostly none. None in a scope that
    /// is not the outermost.
    kept: Call,
}

impl Scope {
    /// Joins the Call that is current, or begins one when there is none.
    #[inline]
    pub fn join() -> Self {
        let kept = match CURRENT.with(Current::is_none) {
            true => Call::default(),
            false => Call::none(),
        };
        Self { kept }
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
        let outermost = CURRENT.with(|current| {
            let outermost = current.is_none();
            if outermost {
                current.marks.set(Marks::BEGUN);
            }
            outermost
        });
        Opened {
            outermost,
            not_send: PhantomData,
        }
    }

    /// Begins a Call of its own, whatever is current; of that one it takes the deadline and nothing
    /// else. For a client that may be used inside another client's layers.
    pub fn begin() -> Self {
        Self {
            kept: CURRENT.with(|current| current.get().anew()),
        }
    }

    /// A scope that adds nothing to whatever is current: for a layer that is switched off.
    #[inline]
    pub const fn none() -> Self {
        Self { kept: Call::none() }
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
        if self.kept.marks == Marks::NONE {
            return Entered::default();
        }
        Entered::with(&mut self.kept)
    }

    /// The Call of this scope, between runs.
    pub fn call(&self) -> Option<Call> {
        if self.kept.marks == Marks::NONE {
            current()
        } else {
            Some(self.kept)
        }
    }
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
    /// [Launches](Call::launch) the attempt of the current Call.
    #[inline]
    pub fn launch(&self) {
        CURRENT.with(|current| current.marks.set(current.marks.get().launch()));
    }

    /// Whether the current attempt [waits](super::Dispatch::Waiting).
    #[inline]
    pub fn is_waiting(&self) -> bool {
        CURRENT.with(|current| current.marks.get().has(Marks::WAITING))
    }

    /// Takes the Call back.
    #[inline]
    pub fn close(mut self) -> Scope {
        let mut scope = Scope::none();
        if mem::take(&mut self.outermost) {
            CURRENT.with(|current| current.swap(&mut scope.kept));
        }
        scope
    }

    /// Takes the Call back and gives it to `keep`, which makes the response future. To do the same with
    /// [`close`](Self::close) copies what a Call without instants does not have.
    #[inline(always)]
    pub fn close_with<R>(mut self, keep: impl FnOnce(Scope) -> R) -> R {
        if CURRENT.with(|current| current.marks.get().has(Marks::TIMED)) {
            return keep(self.close());
        }
        let mut scope = Scope::none();
        if mem::take(&mut self.outermost) {
            scope.kept.marks = CURRENT.with(|current| current.marks.replace(Marks::NONE));
        }
        keep(scope)
    }
}

impl Drop for Opened {
    #[inline]
    fn drop(&mut self) {
        if self.outermost {
            CURRENT.with(|current| current.set(Call::none()));
        }
    }
}

/// While it lives, a [`Scope`]'s Call is current; dropped, it takes that Call back and restores the
/// one before. Not `Send`, so that none is held across an `await`.
#[derive(Debug, Default)]
#[must_use = "the Call is current only while this lives"]
pub struct Entered<'a> {
    kept: Option<&'a mut Call>,
    not_send: PhantomData<*const ()>,
}

impl<'a> Entered<'a> {
    /// Makes the Call that is kept there current, and keeps the one before in its place.
    #[inline]
    pub(super) fn with(kept: &'a mut Call) -> Self {
        CURRENT.with(|current| current.swap(kept));
        Self {
            kept: Some(kept),
            not_send: PhantomData,
        }
    }
}

impl Drop for Entered<'_> {
    #[inline]
    fn drop(&mut self) {
        if let Some(kept) = self.kept.take() {
            CURRENT.with(|current| current.swap(kept));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::time::Duration;

    use tokio::time::Instant;

    use super::*;
    use crate::Deadline;
    use crate::call::{Dispatch, hidden, update};

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
    fn a_call_within_another_keeps_its_own_instants() {
        let now = Instant::now();
        let deadline = Deadline::at(now + Duration::from_secs(1));
        let (mut a, mut b) = (Scope::join(), Scope::join());
        a.run(|| {
            update(|call| call.shorten(deadline, now));
            b.run(|| assert_eq!(current().unwrap().deadline(), None));
            assert_eq!(current().unwrap().deadline(), Some(deadline));
        });
        assert_eq!(b.call().unwrap().deadline(), None);
        assert_eq!(a.call().unwrap().deadline(), Some(deadline));
        b.run(|| {
            update(|call| call.report(Dispatch::Sent(now)));
            a.run(|| assert_eq!(current().unwrap().dispatch(), Dispatch::Unreported));
        });
        assert_eq!(b.call().unwrap().dispatch(), Dispatch::Sent(now));
        assert_eq!(
            (a.call().unwrap().patience(), current()),
            (Duration::from_secs(1), None)
        );
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
}
