use std::sync::Arc;

use http_body::Body;
use outrigger_core::{BoxError, Deadline};
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

use crate::dial::Dial;
use crate::shared::{Granted, Shared};
use crate::{ConnectorError, classify};

/// A call that waits for a place; leaves the queue when dropped.
pub(crate) struct Waiting<B, D>
where
    B: Body<Data: Send, Error: Into<BoxError>> + Send + Unpin + 'static,
    D: Dial + Clone + Send + 'static,
{
    shared: Arc<Shared<B, D>>,
    slot: usize,
    ticket: u64,
    answer: oneshot::Receiver<Result<Granted<B>, ConnectorError>>,
    answered: bool,
}

impl<B, D> Waiting<B, D>
where
    B: Body<Data: Send, Error: Into<BoxError>> + Send + Unpin + 'static,
    D: Dial + Clone + Send + 'static,
{
    pub(crate) fn new(
        shared: Arc<Shared<B, D>>,
        slot: usize,
        ticket: u64,
        answer: oneshot::Receiver<Result<Granted<B>, ConnectorError>>,
    ) -> Self {
        Self {
            shared,
            slot,
            ticket,
            answer,
            answered: false,
        }
    }

    /// Waits for a place at most the acquire timeout. While the only hope is a connection that is
    /// being opened, the connect timeout bounds the wait and this one begins anew after it.
    pub(crate) async fn granted(mut self) -> Result<Granted<B>, ConnectorError> {
        let limit = self.shared.settings().acquire_timeout;
        loop {
            let deadline = Deadline::after(Instant::now(), limit).instant();
            match timeout_at(deadline, &mut self.answer).await {
                Ok(answer) => {
                    self.answered = true;
                    return answer.unwrap_or_else(|_| Err(classify::closed_unused()));
                }
                Err(_) if self.shared.is_connecting(self.slot) => {}
                Err(_) => return Err(classify::acquire_timeout(limit)),
            }
        }
    }
}

impl<B, D> Drop for Waiting<B, D>
where
    B: Body<Data: Send, Error: Into<BoxError>> + Send + Unpin + 'static,
    D: Dial + Clone + Send + 'static,
{
    fn drop(&mut self) {
        if !self.answered {
            self.shared.leave(self.slot, self.ticket);
        }
    }
}
