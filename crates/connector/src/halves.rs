use std::pin::Pin;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll};

use hyper::rt::Executor;

/// Runs the two halves of a hyper HTTP/2 connection as one task, and what else hyper spawns as tasks
/// of their own.
///
/// One half opens streams, then looks whether the connection is well, and reports a GOAWAY that has
/// come as that stream's refusal. The other half reads. Side by side on two threads, it may send the
/// stream and read a GOAWAY that does not refuse it in between, and a request that the server executes
/// would be sent again. In one task they take turns, and the first half sees no GOAWAY come.
///
/// A spawned task captures nothing of the call that happened to open the connection: its span must not
/// live as long as the connection.
#[derive(Clone, Default)]
pub(crate) struct Halves {
    reading: Arc<OnceLock<Mutex<Option<Half>>>>,
}

type Half = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Both halves, until they end.
struct Both<F> {
    opening: Option<Pin<Box<F>>>,
    reading: Option<Half>,
}

impl Halves {
    /// The handshake is over: spawns the half it has returned, and the one it has given away.
    pub(crate) fn spawn<F>(&self, opening: F)
    where
        F: Future + Send + 'static,
    {
        let reading = self.reading.get().and_then(|reading| {
            let mut reading = reading.lock().unwrap_or_else(PoisonError::into_inner);
            reading.take()
        });
        tokio::spawn(Both {
            opening: Some(Box::pin(opening)),
            reading,
        });
    }
}

impl<F> Executor<F> for Halves
where
    F: Future + Send + 'static,
    F::Output: Send,
{
    fn execute(&self, future: F) {
        let future = async move {
            future.await;
        };
        // The handshake gives away the reading half before anything else.
        if self.reading.get().is_some() {
            tokio::spawn(future);
        } else {
            let _ = self.reading.set(Mutex::new(Some(Box::pin(future))));
        }
    }
}

impl<F: Future> Future for Both<F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        if poll(&mut this.opening, cx) & poll(&mut this.reading, cx) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }
}

/// Polls a half that has not ended; whether it has now.
fn poll<F: Future + ?Sized>(half: &mut Option<Pin<Box<F>>>, cx: &mut Context<'_>) -> bool {
    if let Some(future) = half
        && future.as_mut().poll(cx).is_ready()
    {
        *half = None;
    }
    half.is_none()
}
