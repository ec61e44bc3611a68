use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use outrigger_core::Rejected;
use tokio::time::Instant;

use crate::State;

/// A refusal: the circuit lets no call through, or no further one yet.
///
/// Its `source()` is a [`Rejected`], from which other layers learn that nothing was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Open {
    circuit: Arc<str>,
    state: State,
    wait: Option<Duration>,
    rejected: Rejected,
}

impl Open {
    pub(crate) fn new(
        circuit: Arc<str>,
        state: State,
        now: Instant,
        retry_at: Option<Instant>,
    ) -> Self {
        let rejected = Rejected::new("breaker");
        Self {
            circuit,
            state,
            wait: retry_at.map(|at| at.saturating_duration_since(now)),
            rejected: match retry_at {
                Some(at) => rejected.with_retry_at(at),
                None => rejected,
            },
        }
    }

    /// Whose circuit it is: `scheme://host:port` of an endpoint, or the key.
    pub fn circuit(&self) -> &str {
        &self.circuit
    }

    /// What state the circuit is in.
    pub fn state(&self) -> State {
        self.state
    }

    /// When to ask again; `None` where an operator holds the circuit open.
    pub fn retry_at(&self) -> Option<Instant> {
        self.rejected.retry_at()
    }
}

impl fmt::Display for Open {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the circuit of {} is {}", self.circuit, self.state)?;
        match self.wait {
            Some(wait) => write!(f, ": ask again in {wait:?}"),
            None => Ok(()),
        }
    }
}

impl Error for Open {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.rejected)
    }
}
