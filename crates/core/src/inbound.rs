//! What a server's handler hands on to the calls that it makes: the inbound request's id and its
//! deadline.
//!
//! A server-side layer runs the handler [`within`] an [`Inbound`]; the outermost layer of each
//! outbound stack reads it, synchronously, in `call`. It reaches every future that the handler polls
//! itself, `join!` and `select!` included, and no spawned task.
//!
//! ```
//! use outrigger_core::{RequestId, inbound::{self, Inbound}};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let id = RequestId::parse("order-17").unwrap();
//! let inbound = Inbound { request_id: Some(id.clone()), deadline: None };
//! let seen = inbound::within(inbound, async { inbound::request_id() }).await;
//! assert_eq!(seen, Some(id));
//! assert_eq!(inbound::request_id(), None);
//! # }
//! ```

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use crate::{Deadline, RequestId, call};

thread_local! {
    static ID: RefCell<Option<RequestId>> = const { RefCell::new(None) };
    // Apart, because every call asks for it, and what has a destructor takes longer to find.
    static DEADLINE: Cell<Option<Deadline>> = const { Cell::new(None) };
}

/// What is known of the inbound request that is being handled.
#[derive(Clone, Debug, Default)]
pub struct Inbound {
    /// Its id, for every outbound call to carry.
    pub request_id: Option<RequestId>,
    /// The instant after which its client has gone: no outbound call has longer.
    pub deadline: Option<Deadline>,
}

/// The inbound request that this task is handling; empty outside any.
pub fn current() -> Inbound {
    Inbound {
        request_id: request_id(),
        deadline: deadline(),
    }
}

/// The id of the inbound request.
#[inline]
pub fn request_id() -> Option<RequestId> {
    ID.with_borrow(Clone::clone)
}

/// The deadline of the inbound request.
#[inline]
pub fn deadline() -> Option<Deadline> {
    DEADLINE.get()
}

/// Runs a future within an inbound request. No outbound [`Call`](crate::call::Call) is current in it.
pub fn within<F: Future>(inbound: Inbound, future: F) -> Within<F> {
    Within { inbound, future }
}

pin_project! {
    /// The future of [`within`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct Within<F> {
        inbound: Inbound,
        #[pin]
        future: F,
    }
}

impl<F: Future> Future for Within<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        enter(this.inbound, || this.future.poll(cx))
    }
}

/// Runs `f` within an inbound request, as [`within`] does a future.
pub fn enter<R>(inbound: &mut Inbound, f: impl FnOnce() -> R) -> R {
    let _swapped = Swapped::with(inbound);
    call::hidden(f)
}

/// Swaps an Inbound with the current one, and back when dropped.
struct Swapped<'a>(&'a mut Inbound);

impl<'a> Swapped<'a> {
    fn with(inbound: &'a mut Inbound) -> Self {
        swap(inbound);
        Self(inbound)
    }
}

impl Drop for Swapped<'_> {
    fn drop(&mut self) {
        swap(self.0);
    }
}

fn swap(inbound: &mut Inbound) {
    ID.with_borrow_mut(|id| mem::swap(id, &mut inbound.request_id));
    inbound.deadline = DEADLINE.replace(inbound.deadline);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inbound(id: &str) -> Inbound {
        Inbound {
            request_id: RequestId::parse(id).ok(),
            deadline: None,
        }
    }

    fn id() -> Option<String> {
        request_id().map(|id| id.to_string())
    }

    #[tokio::test]
    async fn concurrent_handlers_on_one_thread_do_not_mix() {
        let handle = |name: &'static str| {
            within(inbound(name), async move {
                for _ in 0..3 {
                    assert_eq!(id().as_deref(), Some(name));
                    tokio::task::yield_now().await;
                }
            })
        };
        tokio::join!(handle("a"), handle("b"), async { assert_eq!(id(), None) });
    }

    #[test]
    fn an_inner_scope_shadows_and_restores() {
        enter(&mut inbound("outer"), || {
            enter(&mut inbound("inner"), || {
                assert_eq!(id().as_deref(), Some("inner"))
            });
            assert_eq!(id().as_deref(), Some("outer"));
            assert!(current().deadline.is_none());
        });
        assert_eq!(id(), None);
    }

    #[test]
    fn a_panic_leaves_nothing_behind() {
        let panicked = std::panic::catch_unwind(|| enter(&mut inbound("a"), || panic!("handler")));
        assert!(panicked.is_err());
        assert_eq!(id(), None);
    }
}
