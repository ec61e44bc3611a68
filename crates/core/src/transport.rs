//! What errors of hyper, h2 and hyper-util mean. Everything this project knows of them stands here.
//!
//! hyper does not promise the types in its errors' `source()` chains. Each row below has a raw-frame
//! test over real sockets, run against the locked versions; what those tests cannot find any more
//! falls to `Ambiguous`, which is the safe side.

use std::error::Error;

use crate::Fault;

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
    // h2 reports a GOAWAY only on streams above its last id (RFC 9113 §6.8): any code will do.
    let unprocessed = error.is_remote() && (error.is_go_away() || refused);
    Some(Fault::new(if unprocessed {
        Outcome::Unprocessed
    } else {
        Outcome::Ambiguous
    }))
}
