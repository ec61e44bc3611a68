use std::{
    fmt, io,
    pin::Pin,
    sync::Weak,
    task::{Context, Poll},
};

use http::Uri;
use tokio::sync::watch;
use tower_service::Service;

use super::{Dialing, Link, server::Shared};
use crate::{Serve, time::pause};

/// A connector to an [`InMemory`](super::InMemory) server: always ready, one pipe per call.
///
/// Once the server is dropped, dials are refused.
pub struct Dialer<S> {
    server: Weak<Shared<S>>,
}

impl<S> Dialer<S> {
    pub(super) fn new(server: Weak<Shared<S>>) -> Self {
        Self { server }
    }
}

impl<S: Serve> Service<Uri> for Dialer<S> {
    type Response = Link;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Link>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let begun = self.server.upgrade().map(|server| server.begin());
        let server = Weak::clone(&self.server);
        Box::pin(async move {
            let dialing = begun.ok_or(io::ErrorKind::ConnectionRefused)?;
            allowed(dialing).await?;
            let server = server.upgrade().ok_or(io::ErrorKind::ConnectionRefused)?;
            Ok(server.connect())
        })
    }
}

/// Waits until the dial may succeed.
async fn allowed(mut dialing: watch::Receiver<Dialing>) -> io::Result<()> {
    loop {
        let order = *dialing.borrow_and_update();
        match order {
            Dialing::Accept => return Ok(()),
            Dialing::After(delay) => {
                pause(delay).await;
                return Ok(());
            }
            Dialing::Refuse => return Err(io::ErrorKind::ConnectionRefused.into()),
            Dialing::Hang => dialing
                .changed()
                .await
                .map_err(|_| io::ErrorKind::ConnectionRefused)?,
        }
    }
}

impl<S> Clone for Dialer<S> {
    fn clone(&self) -> Self {
        Self::new(Weak::clone(&self.server))
    }
}

impl<S> fmt::Debug for Dialer<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Dialer")
    }
}
