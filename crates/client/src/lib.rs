//! Outbound HTTP that stays upright: resilient tower layers around a hyper HTTP/2 connector.

mod attempt;
mod error;
mod kind;

pub use outrigger_core::{
    Blame, BoxError, Deadline, Elapsed, Endpoint, Failure, Fault, Outcome, Phase, Rejected,
    RequestId, find,
};

pub use self::attempt::Attempt;
pub use self::error::Error;
pub use self::kind::ErrorKind;
