use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::{sync::watch, task::JoinSet};

use super::{Dialer, Dialing, Link};
use crate::{Log, Serve, Transport};

/// A [`Serve`] behind in-memory pipes. Dropping it ends every connection and task it started.
pub struct InMemory<S> {
    shared: Arc<Shared<S>>,
}

pub(super) struct Shared<S> {
    serve: S,
    buffer: usize,
    dialing: watch::Sender<Dialing>,
    dials: AtomicUsize,
    connections: AtomicUsize,
    open: Arc<()>,
    serving: Mutex<JoinSet<()>>,
}

impl<S: Serve> InMemory<S> {
    /// Serves pipes that hold 64 KiB in each direction.
    #[must_use]
    pub fn new(serve: S) -> Self {
        Self::with_buffer(serve, 64 * 1024)
    }

    /// Serves pipes that hold so many bytes in each direction, at least one.
    #[must_use]
    pub fn with_buffer(serve: S, buffer: usize) -> Self {
        let shared = Shared {
            serve,
            buffer: buffer.max(1),
            dialing: watch::Sender::new(Dialing::Accept),
            dials: AtomicUsize::new(0),
            connections: AtomicUsize::new(0),
            open: Arc::default(),
            serving: Mutex::default(),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// Returns the log of everything served so far.
    #[must_use]
    pub fn log(&self) -> Log<S::Entry> {
        self.shared.serve.log()
    }
}

impl<S> InMemory<S> {
    /// Returns a connector to this server, whatever URI it is asked for.
    #[must_use]
    pub fn dialer(&self) -> Dialer<S> {
        Dialer::new(Arc::downgrade(&self.shared))
    }

    /// Orders what becomes of dials from now on, and of those that hang; [`Dialing::Accept`] by default.
    pub fn dialing(&self, dialing: Dialing) {
        self.shared.dialing.send_replace(dialing);
    }

    /// Returns how many dials were begun.
    #[must_use]
    pub fn dials(&self) -> usize {
        self.shared.dials.load(Ordering::Relaxed)
    }

    /// Returns how many connections were made.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::Relaxed)
    }

    /// Returns how many connections the client still holds.
    #[must_use]
    pub fn open(&self) -> usize {
        Arc::strong_count(&self.shared.open) - 1
    }
}

impl<S: Serve> Shared<S> {
    pub(super) fn begin(&self) -> watch::Receiver<Dialing> {
        self.dials.fetch_add(1, Ordering::Relaxed);
        self.dialing.subscribe()
    }

    pub(super) fn connect(&self) -> Link {
        let (near, far) = tokio::io::duplex(self.buffer);
        let connection = self.connections.fetch_add(1, Ordering::Relaxed) + 1;
        let serving = self.serve.serve(Transport::new(far), connection);
        let mut tasks = self.serving.lock().unwrap_or_else(PoisonError::into_inner);
        while tasks.try_join_next().is_some() {}
        tasks.spawn(serving);
        drop(tasks);
        Link::new(near, Arc::clone(&self.open))
    }
}

impl<S> fmt::Debug for InMemory<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InMemory")
            .field("dials", &self.dials())
            .field("connections", &self.connections())
            .finish_non_exhaustive()
    }
}
