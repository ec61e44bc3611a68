//! What errors of hyper, h2 and hyper-util mean. Everything this project knows of them stands here.
//!
//! hyper does not promise the types in its errors' `source()` chains. Each row below has a raw-frame
//! test over real sockets, run against the locked versions; what those tests cannot find any more
//! falls to `Ambiguous`, which is the safe side.

use std::error::Error;

use crate::Fault;
#[cfg(feature = "hyper")]
use crate::find;

/// How hyper says that a connection's task ended with a request in its hands.
#[cfg(feature = "hyper")]
const DISPATCH_GONE: &str = "dispatch task is gone";

/// The fault that an error of the transport states, its sources left aside.
#[cfg(not(feature = "hyper"))]
pub(crate) fn fault(_: &(dyn Error + 'static)) -> Option<Fault> {
    None
}

/// The fault that an error of the transport states, its sources left aside.
#[cfg(feature = "hyper")]
pub(crate) fn fault(error: &(dyn Error + 'static)) -> Option<Fault> {
    use crate::{Blame, Outcome};

    if let Some(error) = error.downcast_ref::<hyper_util::client::legacy::Error>() {
        return error.is_connect().then(|| Fault::new(Outcome::Unsent));
    }
    if let Some(error) = error.downcast_ref::<hyper::Error>() {
        if error.is_canceled() {
            // The request never left hyper's queue: the connection had gone.
            return Some(Fault::new(Outcome::Unsent));
        }
        // The caller's own body failed, or the request was malformed. One error of the user's kind is
        // nobody's fault, has no predicate of its own, and says nothing of what the server did.
        let callers = error.is_user() && error.to_string() != DISPATCH_GONE;
        let fault = Fault::new(Outcome::Ambiguous)
            .blame(Blame::Caller)
            .without_retry();
        return callers.then_some(fault);
    }
    let error = error.downcast_ref::<h2::Error>()?;
    let refused = error.is_reset() && error.reason() == Some(h2::Reason::REFUSED_STREAM);
    // A GOAWAY is no proof: see `left_out`.
    Some(Fault::new(if error.is_remote() && refused {
        Outcome::Unprocessed
    } else {
        Outcome::Ambiguous
    }))
}

/// Whether an error says that a GOAWAY has left the request's stream out (RFC 9113 §6.8).
///
/// hyper says so of streams above the GOAWAY's last one, which the server has not processed, and now
/// and then of one that the server does process: where one half of a connection opens a stream while
/// the other one, on another thread, reads a GOAWAY that does not leave it out. [`Fault::of`] therefore
/// takes it for [`Ambiguous`](crate::Outcome::Ambiguous). A transport whose halves take turns may
/// believe it.
#[cfg(feature = "hyper")]
pub fn left_out(error: &(dyn Error + 'static)) -> bool {
    find::<h2::Error>(error).is_some_and(|error| error.is_remote() && error.is_go_away())
}

/// Whether an error says that a GOAWAY has left the request's stream out. Without the feature `hyper`
/// none is understood to say so.
#[cfg(not(feature = "hyper"))]
pub fn left_out(_: &(dyn Error + 'static)) -> bool {
    false
}
