//! What the layers of one logical call tell each other: the deadline, the attempt's number, whether
//! the request was dispatched.
//!
//! The outermost layer of a stack holds the [`Call`] in its response future (a [`Scope`]) and swaps
//! it into a thread-local around `call` and around every `poll`; the layers inside read and write it
//! there, synchronously, with [`current`] and [`update`]. Nothing is allocated, and the request's
//! extensions stay the caller's own.
//!
//! The other way is one `Arc` in the extensions. Both were built and measured (`benches/`, one call
//! through an outermost layer and a transport that reports its dispatch): the scope adds 94
//! instructions and no allocation, the extension 1,039 and four.
//!
//! Where a service runs its inner service elsewhere (`tokio::spawn`, `tower::buffer`, tonic's
//! `Channel`) the Call is absent. Every layer works without it: each reads the caller's wishes from
//! the request's extensions as well, and times an attempt from the poll that first
//! finds it unanswered.
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

mod marks;
mod record;
mod scope;
mod thread;

pub use self::record::{Call, Dispatch};
pub use self::scope::{Entered, Opened, Scope};
use self::thread::{CURRENT, Current};
use crate::Deadline;

/// The Call that this thread is working on, if any.
#[inline]
pub fn current() -> Option<Call> {
    CURRENT.with(|current| (!current.is_none()).then(|| current.get()))
}

/// The deadline of the current Call: [`current`], and of it the [`deadline`](Call::deadline), for less.
#[inline]
pub fn deadline() -> Option<Deadline> {
    CURRENT.with(Current::deadline)
}

/// Changes the current Call; without one, does nothing.
#[inline]
pub fn update(change: impl FnOnce(&mut Call)) {
    CURRENT.with(|current| {
        if !current.is_none() {
            let mut call = current.get();
            change(&mut call);
            current.set(call);
        }
    });
}

/// [Launches](Call::launch) the current attempt: [`update`] with it, for less.
#[inline]
pub fn launch() {
    CURRENT.with(|current| {
        if !current.is_none() {
            current.marks.set(current.marks.get().launch());
        }
    });
}

/// Forgets any [timer](Call::timer) of the current Call: [`update`] for less, as there mostly is none.
#[inline]
pub fn clear_timer() {
    if CURRENT.with(Current::has_timer) {
        update(|call| call.set_timer(None));
    }
}

/// Runs `f` with no Call current: what it calls belongs to another logical call.
pub fn hidden<R>(f: impl FnOnce() -> R) -> R {
    let mut outer = Call::none();
    let _entered = Entered::with(&mut outer);
    f()
}
