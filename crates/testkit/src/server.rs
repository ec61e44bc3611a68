use std::{
    fmt, io,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    net::TcpListener,
    task::{JoinHandle, JoinSet},
};

use crate::{Log, Transport, time::pause};

/// What can answer connections: a [`raw::Script`](crate::raw::Script) or an upstream of your own.
pub trait Serve: Send + Sync + 'static {
    /// What one line of the log says.
    type Entry;

    /// Returns the log that is written while serving.
    fn log(&self) -> Log<Self::Entry>;

    /// Serves one connection until it ends; `connection` is its ordinal, the first being 1.
    fn serve(
        &self,
        transport: Transport,
        connection: usize,
    ) -> impl Future<Output = ()> + Send + 'static;
}

/// A listener on a loopback TCP port that gives each accepted connection to a [`Serve`].
///
/// Dropping it closes the port and ends every connection and task it started.
pub struct Server<S> {
    serve: Arc<S>,
    addr: SocketAddr,
    accepted: Arc<AtomicUsize>,
    accepting: JoinHandle<()>,
}

impl<S: Serve> Server<S> {
    /// Listens on a free port of `127.0.0.1`.
    ///
    /// # Errors
    ///
    /// When no port can be had.
    pub async fn bind(serve: S) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        Self::listen(serve, listener)
    }

    /// Takes over a listener that already stands.
    ///
    /// # Errors
    ///
    /// When the listener does not know its own address.
    pub fn listen(serve: S, listener: TcpListener) -> io::Result<Self> {
        let addr = listener.local_addr()?;
        let serve = Arc::new(serve);
        let accepted = Arc::new(AtomicUsize::new(0));
        let accepting = tokio::spawn(accept(listener, Arc::clone(&serve), Arc::clone(&accepted)));
        Ok(Self {
            serve,
            addr,
            accepted,
            accepting,
        })
    }

    /// Returns the log of everything served so far.
    #[must_use]
    pub fn log(&self) -> Log<S::Entry> {
        self.serve.log()
    }
}

impl<S> Server<S> {
    /// Returns the address to dial.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Returns `http://` and the address and `path_and_query`, which begins with a slash.
    #[must_use]
    pub fn url(&self, path_and_query: &str) -> String {
        format!("http://{}{path_and_query}", self.addr)
    }

    /// Returns how many connections were accepted so far.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.accepted.load(Ordering::Relaxed)
    }
}

impl<S> Drop for Server<S> {
    fn drop(&mut self) {
        // The connections' tasks live in the accepting task's set and end with it.
        self.accepting.abort();
    }
}

impl<S> fmt::Debug for Server<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("addr", &self.addr)
            .field("connections", &self.connections())
            .finish()
    }
}

/// How many connections one server has at a time; more wait in the system's backlog.
const MAX_CONNECTIONS: usize = 10_000;

async fn accept<S: Serve>(listener: TcpListener, serve: Arc<S>, accepted: Arc<AtomicUsize>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            Some(_) = connections.join_next() => {}
            accept = listener.accept(), if connections.len() < MAX_CONNECTIONS => {
                let Ok((socket, _)) = accept else {
                    // For want of file handles, say, which come free again.
                    pause(Duration::from_millis(10)).await;
                    continue;
                };
                // A frame a script sends must leave now, not with the next one.
                let _ = socket.set_nodelay(true);
                let connection = accepted.fetch_add(1, Ordering::Relaxed) + 1;
                connections.spawn(serve.serve(Transport::tcp(socket), connection));
            }
        }
    }
}
