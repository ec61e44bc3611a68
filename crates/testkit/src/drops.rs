use std::{future::poll_fn, pin::pin, task::Poll};

/// Drops a future after 0, 1, 2 … polls, a fresh one each time, until one completes; returns its output.
///
/// `check` runs after each drop, and once more after the completion. It is where a test asserts that
/// every counter stands where it began; it may await, to let tasks settle.
///
/// ```
/// use std::{cell::Cell, time::Duration};
/// use outrigger_testkit::drop_at_every_poll;
/// use tokio::sync::Semaphore;
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() {
/// let permits = Semaphore::new(1);
/// let call = || async {
///     let _permit = permits.acquire().await;
///     tokio::time::advance(Duration::from_secs(1)).await;
///     "done"
/// };
///
/// let output = drop_at_every_poll(call, async || assert_eq!(permits.available_permits(), 1)).await;
/// assert_eq!(output, "done");
/// # }
/// ```
///
/// # Panics
///
/// When a future is still pending after 100,000 polls.
#[expect(clippy::panic, reason = "failing the test is its purpose")]
pub async fn drop_at_every_poll<F: Future>(
    mut make: impl FnMut() -> F,
    mut check: impl AsyncFnMut(),
) -> F::Output {
    const MAX_POLLS: usize = 100_000;
    for polls in 0..MAX_POLLS {
        let output = {
            let mut future = pin!(make());
            let mut left = polls;
            poll_fn(|cx| {
                if left == 0 {
                    return Poll::Ready(None);
                }
                left -= 1;
                match future.as_mut().poll(cx) {
                    Poll::Pending if left == 0 => Poll::Ready(None),
                    poll => poll.map(Some),
                }
            })
            .await
        };
        check().await;
        if let Some(output) = output {
            return output;
        }
    }
    panic!("the future is still pending after {MAX_POLLS} polls");
}
