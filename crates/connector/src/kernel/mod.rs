//! Which connection takes which call: a state machine without sockets, tasks or clocks.
//!
//! The shell tells it what happened and the time, then asks [`Pool::next`] what to do until there is
//! nothing left. It holds the shell's handles of connections (`H`) and waiters (`W`) and never looks
//! into them; handles it lets go of are returned, so that none is dropped under the pool's lock.

use std::time::Duration;

mod alarms;
mod connection;
mod health;
mod names;
mod origin;
mod pool;
mod rest;
mod scarcity;
mod step;
mod stint;
#[cfg(test)]
mod tests;

pub(crate) use self::connection::{Kind, Opened};
pub(crate) use self::names::BadUri;
pub(crate) use self::origin::OriginCount;
pub(crate) use self::pool::Pool;
pub(crate) use self::step::{Key, Lease, Place, Step, Watch};

/// How much the pool may hold, and how long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Connections of one endpoint that take calls, and connects under way.
    pub(crate) per_endpoint: usize,
    /// Sockets in all, draining ones and connects under way included.
    pub(crate) total: usize,
    /// Calls of one endpoint that wait for a place.
    pub(crate) waiters: usize,
    /// How long a connection may carry nothing.
    pub(crate) idle: Duration,
    /// Calls in a row that a connection may leave without any sign of an answer.
    pub(crate) unanswered: u32,
}

/// How many streams may be cancelled on one connection within [`CANCELS_WITHIN`]. Servers take more
/// for an attack, and close the connection with all it carries.
const CANCELS: u32 = 50;

/// See [`CANCELS`].
const CANCELS_WITHIN: Duration = Duration::from_secs(30);

/// How long a peer may need to take its leave of a connection that has carried its stint.
const HOLD: Duration = Duration::from_secs(1);

/// How long it is remembered what a connection carries of an endpoint that has none.
const KNOWN: Duration = Duration::from_secs(60);

/// How long a connection that takes no new calls and carries nothing may take to close.
const LINGER: Duration = Duration::from_secs(5);

/// A connection is looked at this often at least.
const LOOK: Duration = Duration::from_secs(5);
