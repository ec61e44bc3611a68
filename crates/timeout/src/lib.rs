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
