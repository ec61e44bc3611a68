use hyper::rt::Executor;

/// Spawns on the current runtime and captures nothing: the span of the call that happened to open a
/// connection must not live as long as the connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spawn;

impl<F> Executor<F> for Spawn
where
    F: Future + Send + 'static,
    F::Output: Send,
{
    fn execute(&self, future: F) {
        tokio::spawn(async move {
            future.await;
        });
    }
}
