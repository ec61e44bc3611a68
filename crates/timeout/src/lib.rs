//! Deadlines for calls and timeouts for attempts and bodies, as tower layers.

mod deadline;
mod limit;
mod patience;
mod progress;
mod request_body;
mod response_body;
mod timeout;
mod timeouts;
mod timer;

pub use self::deadline::{DeadlineFuture, DeadlineLayer, DeadlineService};
pub use self::request_body::RequestBody;
pub use self::response_body::ResponseBody;
pub use self::timeout::{TimeoutFuture, TimeoutLayer, TimeoutService};
pub use self::timeouts::Timeouts;
pub use outrigger_core::{Deadline, Elapsed, Phase};

/// Takes the instance of a service that was polled, and leaves a fresh clone.
fn renew<S: Clone>(inner: &mut S) -> S {
    let fresh = inner.clone();
    std::mem::replace(inner, fresh)
}
