use std::{fmt, sync::Arc};

use tokio_rustls::{TlsAcceptor, rustls::ServerConfig};

use crate::{Log, Serve, Transport};

/// Serves over TLS what another [`Serve`] serves. ALPN is what the configuration says; the bytes that
/// come decide which version is spoken. A connection whose handshake fails is dropped.
pub struct Tls<S> {
    inner: Arc<S>,
    acceptor: TlsAcceptor,
}

impl<S> Tls<S> {
    /// Takes what is served, and the certificate, keys and ALPN of the server.
    pub fn new(inner: S, config: Arc<ServerConfig>) -> Self {
        Self {
            inner: Arc::new(inner),
            acceptor: config.into(),
        }
    }
}

impl<S: Serve> Serve for Tls<S> {
    type Entry = S::Entry;

    fn log(&self) -> Log<S::Entry> {
        self.inner.log()
    }

    fn serve(
        &self,
        transport: Transport,
        connection: usize,
    ) -> impl Future<Output = ()> + Send + 'static {
        let (inner, handshake) = (Arc::clone(&self.inner), self.acceptor.accept(transport));
        async move {
            if let Ok(stream) = handshake.await {
                inner.serve(Transport::tls(stream), connection).await;
            }
        }
    }
}

impl<S: fmt::Debug> fmt::Debug for Tls<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Tls").field(&self.inner).finish()
    }
}
