use std::time::Duration;

use crate::kernel::Limits;
use crate::{Connector, HttpVersion};

/// What a connector is told once, before its first call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    pub(crate) http: HttpVersion,
    pub(crate) connect_timeout: Duration,
    pub(crate) acquire_timeout: Duration,
    pub(crate) keep_alive: Option<KeepAlive>,
    pub(crate) limits: Limits,
    pub(crate) max_age: Duration,
}

/// How a connection with streams in flight is tried: a PING this often, and how long its answer may
/// take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KeepAlive {
    pub(crate) interval: Duration,
    pub(crate) timeout: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            http: HttpVersion::Auto,
            connect_timeout: Connector::DEFAULT_CONNECT_TIMEOUT,
            acquire_timeout: Connector::DEFAULT_ACQUIRE_TIMEOUT,
            keep_alive: Some(KeepAlive {
                interval: Duration::from_secs(20),
                timeout: Duration::from_secs(10),
            }),
            limits: Limits {
                per_endpoint: Connector::DEFAULT_CONNECTIONS_PER_ENDPOINT,
                total: Connector::DEFAULT_CONNECTIONS,
                waiters: Connector::DEFAULT_WAITING_PER_ENDPOINT,
                idle: Connector::DEFAULT_IDLE_EXPIRY,
                unanswered: 3,
            },
            max_age: Connector::DEFAULT_MAX_AGE,
        }
    }
}

impl Settings {
    /// How old a connection may become: a fifth more or less, by a die of this thread.
    pub(crate) fn age(&self) -> Duration {
        let fifth = self.max_age / 5;
        let share = fifth.saturating_mul(2) / 1000 * fastrand::u32(0..=1000);
        self.max_age.saturating_sub(fifth).saturating_add(share)
    }
}
