use std::{io, sync::Arc};

use http::{Method, request::Parts};

use super::{Arrival, Behaviour, http1, http2, path::Paths};
use crate::{Exhausted, Log, Reply, Route, Serve, Transport, raw::PREFACE, routes::Routes};

/// A scripted server for real HTTP/1.1 and HTTP/2 connections. Clones share routes, counts and log.
///
/// A request goes to the first [`Route`] that takes it, else to what its path asks for in the
/// [path language](super).
#[derive(Clone, Debug)]
pub struct Upstream {
    routes: Routes<Behaviour>,
    paths: Arc<Paths>,
    log: Option<Log<Arrival>>,
    max_concurrent_streams: u32,
}

impl Upstream {
    /// The longest request body that is kept, to be echoed or for a closure, in bytes. A longer one is
    /// read and counted; who needs it whole answers 413.
    pub const MAX_BODY: usize = 16 << 20;

    /// The table of the path language, in Markdown.
    pub const PATHS: &str = include_str!("paths.md");

    /// Makes an upstream that knows the path language and no route.
    #[must_use]
    pub fn new() -> Self {
        Self {
            routes: Routes::new(),
            paths: Arc::default(),
            log: Some(Log::new()),
            max_concurrent_streams: 1024,
        }
    }

    /// Sets how many streams a client may have open on an HTTP/2 connection; 1,024 by default.
    #[must_use]
    pub fn max_concurrent_streams(mut self, streams: u32) -> Self {
        self.max_concurrent_streams = streams;
        self
    }

    /// Writes no log, for a server that runs long. [`Log::MAX_ENTRIES`] would end it.
    #[must_use]
    pub fn without_log(mut self) -> Self {
        self.log = None;
        self
    }

    /// Adds a route for GET on this path; a `*` at its end stands for anything.
    ///
    /// Of several routes that take a request the one added first gets it.
    pub fn get(&self, path: &str) -> Route<Behaviour> {
        self.on(Method::GET, path)
    }

    /// Adds a route for POST on this path; a `*` at its end stands for anything.
    pub fn post(&self, path: &str) -> Route<Behaviour> {
        self.on(Method::POST, path)
    }

    /// Adds a route for a method on this path; a `*` at its end stands for anything.
    pub fn on(&self, method: Method, path: &str) -> Route<Behaviour> {
        self.routes.add(Some(method), path)
    }

    /// Adds a route for all methods on this path; a `*` at its end stands for anything.
    pub fn any(&self, path: &str) -> Route<Behaviour> {
        self.routes.add(None, path)
    }

    /// Fails the test if a route was not called as often as it [expects](Route::expect).
    ///
    /// # Panics
    ///
    /// When so.
    #[track_caller]
    pub fn assert_satisfied(&self) {
        let complaints = self.routes.complaints();
        assert!(
            complaints.is_empty(),
            "the upstream is not satisfied: {complaints:#?}"
        );
    }

    pub(super) fn streams_allowed(&self) -> u32 {
        self.max_concurrent_streams
    }

    /// Decides what becomes of a request with this head.
    pub(super) fn behaviour(&self, head: &Parts) -> Behaviour {
        match self.routes.find(head).map(|route| route.next()) {
            Some(Ok(behaviour)) => behaviour,
            Some(Err(exhausted)) => unscripted(&exhausted),
            None => self.paths.behaviour(&head.uri),
        }
    }

    pub(super) fn record(&self, arrival: Arrival) -> io::Result<()> {
        self.log
            .as_ref()
            .map_or(Ok(()), |log| log.push(arrival))
            .map_err(io::Error::other)
    }
}

fn unscripted(exhausted: &Exhausted) -> Behaviour {
    Behaviour::from(Reply::status(500).body(exhausted.to_string())).executed(false)
}

impl Default for Upstream {
    fn default() -> Self {
        Self::new()
    }
}

impl Serve for Upstream {
    type Entry = Arrival;

    fn log(&self) -> Log<Arrival> {
        self.log.clone().unwrap_or_else(Log::new)
    }

    fn serve(
        &self,
        mut transport: Transport,
        connection: usize,
    ) -> impl Future<Output = ()> + Send + 'static {
        let upstream = self.clone();
        async move {
            // How a connection ends is the client's business here; what it did stands in the log.
            match transport.begins_with(PREFACE).await {
                Ok(true) => http2::serve(upstream, transport, connection).await,
                Ok(false) => http1::serve(upstream, transport, connection).await,
                Err(_) => {}
            }
        }
    }
}
