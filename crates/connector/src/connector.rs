use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Request, Response};
use http_body::Body;
use outrigger_core::BoxError;
use outrigger_core::call::{self, Dispatch};
use tower_service::Service;

use crate::dial::Dial;
use crate::settings::{KeepAlive, Settings};
use crate::shared::Shared;
use crate::{AnyBody, ConnBody, ConnectorError, HttpVersion, ResponseFuture, Snapshot, TcpDialer};

/// A `tower` service that sends HTTP requests over its own pool of connections.
///
/// `B` is the type of the request bodies, [`AnyBody`] where they are of several, and `D` what opens the
/// transports. Layers above that wrap the body wrap `B` too. Clones share the pool; a setter begins afresh,
/// with a pool of its own.
pub struct Connector<B = AnyBody, D = TcpDialer> {
    pub(crate) shared: Arc<Shared<B, D>>,
}

impl Connector {
    /// How long opening a connection may take.
    pub const DEFAULT_CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
    /// How long a call may wait for a place on a connection.
    pub const DEFAULT_ACQUIRE_TIMEOUT: Duration = Duration::from_secs(3);
    /// How many connections one endpoint may have.
    pub const DEFAULT_CONNECTIONS_PER_ENDPOINT: usize = 4;
    /// How many connections there may be in all.
    pub const DEFAULT_CONNECTIONS: usize = 256;
    /// How many calls to one endpoint may wait for a place.
    pub const DEFAULT_WAITING_PER_ENDPOINT: usize = 10_000;
    /// How long a connection may carry nothing.
    pub const DEFAULT_IDLE_EXPIRY: Duration = Duration::from_secs(90);
    /// How old a connection may be, a fifth more or less, and still take calls.
    pub const DEFAULT_MAX_AGE: Duration = Duration::from_secs(600);
}

impl<B> Connector<B> {
    /// A connector over TCP, and over TLS for `https`.
    pub fn new() -> Self {
        Self::from_parts(Settings::default(), TcpDialer::default())
    }
}

impl<B, D: Clone> Connector<B, D> {
    /// Opens transports with `dialer` from now on.
    pub fn dialer<E>(self, dialer: E) -> Connector<B, E> {
        Connector::from_parts(self.shared.settings(), dialer)
    }

    /// The versions of HTTP to speak. By default [`HttpVersion::Auto`].
    #[must_use]
    pub fn http(self, version: HttpVersion) -> Self {
        self.set(|settings| settings.http = version)
    }

    /// How long opening a connection may take: name resolution, TCP, TLS and the server's HTTP/2
    /// SETTINGS, before which it is sent no request. By default 3 s.
    #[must_use]
    pub fn connect_timeout(self, limit: Duration) -> Self {
        self.set(|settings| settings.connect_timeout = limit)
    }

    /// How long a call may wait for a place on a connection; the time in which its first connection
    /// is opened does not count. By default 3 s.
    #[must_use]
    pub fn acquire_timeout(self, limit: Duration) -> Self {
        self.set(|settings| settings.acquire_timeout = limit)
    }

    /// How many connections one endpoint may have; another is opened only when the open ones carry
    /// as many streams as the server allows. By default 4; none counts as one.
    #[must_use]
    pub fn max_connections_per_endpoint(self, limit: usize) -> Self {
        self.set(|settings| settings.limits.per_endpoint = limit)
    }

    /// How many connections there may be in all. At the limit the one that has been idle longest
    /// makes room. By default 256; none counts as one.
    #[must_use]
    pub fn max_connections(self, limit: usize) -> Self {
        self.set(|settings| settings.limits.total = limit)
    }

    /// How many calls to one endpoint may wait for a place; further ones are refused at once. By
    /// default 10,000.
    #[must_use]
    pub fn max_waiting_per_endpoint(self, limit: usize) -> Self {
        self.set(|settings| settings.limits.waiters = limit)
    }

    /// How long a connection may carry nothing before it is closed. By default 90 s.
    #[must_use]
    pub fn idle_expiry(self, limit: Duration) -> Self {
        self.set(|settings| settings.limits.idle = limit)
    }

    /// How old a connection may be and still take calls; those it carries are finished. Each has a
    /// fifth more or less, so that not all are opened anew at once. By default 10 min.
    ///
    /// A new connection asks for the host's addresses again.
    #[must_use]
    pub fn max_age(self, limit: Duration) -> Self {
        self.set(|settings| settings.max_age = limit)
    }

    /// How many calls in a row may be given up on an HTTP/2 connection that shows no sign of an answer
    /// to any of its calls, before it takes no new ones. By default 3; none counts as one.
    ///
    /// A call counts when it was given up 100 ms after it was sent, or later. A later attempt of a call
    /// does not wait for so many: it avoids a connection that was silent since one was given up on it.
    #[must_use]
    pub fn max_unanswered(self, calls: u32) -> Self {
        self.set(|settings| settings.limits.unanswered = calls)
    }

    /// How an HTTP/2 connection with streams in flight is tried: it is sent a PING this often, and
    /// closed when the answer takes longer than `timeout`. By default 20 s and 10 s.
    ///
    /// Idle connections are left in peace: some servers punish their PINGs.
    #[must_use]
    pub fn keep_alive(self, interval: Duration, timeout: Duration) -> Self {
        self.set(|settings| settings.keep_alive = Some(KeepAlive { interval, timeout }))
    }

    /// Sends no PINGs.
    #[must_use]
    pub fn without_keep_alive(self) -> Self {
        self.set(|settings| settings.keep_alive = None)
    }

    fn set(self, change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = self.shared.settings();
        change(&mut settings);
        Self::from_parts(settings, self.shared.dialer())
    }
}

impl<B, D> Connector<B, D> {
    /// What the pool holds at this moment.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot::new(self.shared.count())
    }

    fn from_parts(settings: Settings, dialer: D) -> Self {
        Self {
            shared: Shared::new(settings, dialer),
        }
    }
}

impl<B, D> Service<Request<B>> for Connector<B, D>
where
    B: Body<Data: Send, Error: Into<BoxError>> + Send + Unpin + 'static,
    D: Dial + Clone + Send + 'static,
{
    type Response = Response<ConnBody>;
    type Error = ConnectorError;
    type Future = ResponseFuture;

    /// Always ready: a call that must wait for a place waits in its future.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ConnectorError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> ResponseFuture {
        call::update(|call| call.report(Dispatch::Waiting));
        ResponseFuture::new(Arc::clone(&self.shared), request)
    }
}

impl<B> Default for Connector<B> {
    fn default() -> Self {
        Self::new()
    }
}

impl<B, D> Clone for Connector<B, D> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
        }
    }
}

impl<B, D> fmt::Debug for Connector<B, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector")
            .field("pool", &self.snapshot())
            .finish_non_exhaustive()
    }
}
