use std::{fmt, io, pin::Pin};

use super::{Entry, Event, Peer};
use crate::{Log, Serve, Transport};

/// What the server does with each connection, as an `async` closure over a [`Peer`].
pub struct Script {
    run: Box<Run>,
    log: Log<Entry>,
}

type Run = dyn Fn(Peer) -> Pin<Box<dyn Future<Output = io::Result<()>> + Send>> + Send + Sync;

impl Script {
    /// Takes the script. It is called once per connection; [`Peer::connection`] says for which.
    ///
    /// When it ends, with or without an error, the connection is closed; the log says how it ended.
    pub fn new<F, Fut>(run: F) -> Self
    where
        F: Fn(Peer) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = io::Result<()>> + Send + 'static,
    {
        Self {
            run: Box::new(move |peer| Box::pin(run(peer))),
            log: Log::new(),
        }
    }
}

impl Serve for Script {
    type Entry = Entry;

    fn log(&self) -> Log<Entry> {
        self.log.clone()
    }

    fn serve(
        &self,
        transport: Transport,
        connection: usize,
    ) -> impl Future<Output = ()> + Send + 'static {
        let log = self.log.clone();
        let running = (self.run)(Peer::new(transport, connection, log.clone()));
        async move {
            // A full log shows itself to the script, whose first reading fails.
            let _ = log.push(Entry {
                connection,
                event: Event::Connected,
            });
            let mut ending = Ending {
                log,
                connection,
                error: Some("cut off with its server".to_owned()),
            };
            ending.error = running.await.err().map(|error| error.to_string());
        }
    }
}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Script")
            .field("log", &self.log)
            .finish_non_exhaustive()
    }
}

/// Writes the end of a script into the log, also when the script panicked.
struct Ending {
    log: Log<Entry>,
    connection: usize,
    error: Option<String>,
}

impl Drop for Ending {
    fn drop(&mut self) {
        let panicked = std::thread::panicking().then(|| "panicked".to_owned());
        let event = Event::Ended(panicked.or(self.error.take()));
        let _ = self.log.push(Entry {
            connection: self.connection,
            event,
        });
    }
}
