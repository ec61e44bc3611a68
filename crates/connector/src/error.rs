use std::error::Error;
use std::fmt;
use std::sync::Arc;

use outrigger_core::{BoxError, Elapsed, Endpoint, Failure, Fault};

/// Why the connector has no answer, or only part of one.
///
/// What it means for whoever must decide is its [`fault`](Self::fault); every layer finds the same
/// along `source()` with [`Fault::of`]. It names the endpoint and nothing else of the request.
#[derive(Clone)]
pub struct ConnectorError(Arc<Inner>);

struct Inner {
    kind: ErrorKind,
    fault: Fault,
    endpoint: Option<Endpoint>,
    source: BoxError,
}

/// What went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The request cannot be sent anywhere: its URI is relative, of another scheme than `http` and
    /// `https`, or carries user information.
    Request,
    /// Name resolution, the TCP connection or the start of HTTP failed.
    Connect,
    /// A proxy could not be reached, refused, or did not let the connection through.
    Proxy,
    /// The TLS handshake failed: a certificate, a version or a protocol that one side refuses.
    Tls,
    /// Name resolution, TCP, TLS and the start of HTTP took longer than the connect timeout.
    ConnectTimeout,
    /// There was no place on a connection within the acquire timeout.
    AcquireTimeout,
    /// As many calls as may wait for a connection to this endpoint wait already.
    QueueFull,
    /// One connection after the other closed before it took the request.
    Unsent,
    /// The peer said that it did not process the request: `REFUSED_STREAM`, or a GOAWAY whose last
    /// stream is an earlier one.
    Unprocessed,
    /// The stream or its connection broke after the request was handed to it.
    Broken,
    /// The caller's own request body failed.
    RequestBody,
    /// The response body broke off.
    ResponseBody,
}

impl ConnectorError {
    /// An error with its fault and the error it came from.
    pub(crate) fn new(kind: ErrorKind, fault: Fault, source: impl Into<BoxError>) -> Self {
        let failure = Failure::new(kind.as_str(), fault).with_source(source);
        Self::from_parts(kind, fault, failure.into())
    }

    /// An error that is one already in the layers' words.
    pub(crate) fn said(kind: ErrorKind, fault: Fault, source: impl Into<BoxError>) -> Self {
        Self::from_parts(kind, fault, source.into())
    }

    /// A limit of time has passed.
    pub(crate) fn elapsed(kind: ErrorKind, elapsed: Elapsed) -> Self {
        Self::from_parts(kind, elapsed.fault(), elapsed.into())
    }

    fn from_parts(kind: ErrorKind, fault: Fault, source: BoxError) -> Self {
        Self(Arc::new(Inner {
            kind,
            fault,
            endpoint: None,
            source,
        }))
    }

    /// The same error, met on the way to this endpoint.
    pub(crate) fn at(mut self, endpoint: Option<Endpoint>) -> Self {
        if let Some(inner) = Arc::get_mut(&mut self.0) {
            inner.endpoint = endpoint;
        }
        self
    }

    /// What went wrong.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// What it means for the request: whether it may have been processed, whose doing it is, and
    /// whether trying again can help.
    pub fn fault(&self) -> Fault {
        self.0.fault
    }

    /// Where the request was going, as far as it got that far.
    pub fn endpoint(&self) -> Option<&Endpoint> {
        self.0.endpoint.as_ref()
    }
}

impl ErrorKind {
    /// A few words for it, in lower case.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Request => "request cannot be sent anywhere",
            Self::Connect => "could not connect",
            Self::Proxy => "no way through the proxy",
            Self::Tls => "tls handshake failed",
            Self::ConnectTimeout => "connecting took too long",
            Self::AcquireTimeout => "no place on a connection in time",
            Self::QueueFull => "too many calls wait for a connection",
            Self::Unsent => "connections closed before the request was sent",
            Self::Unprocessed => "refused unprocessed",
            Self::Broken => "broke off before the answer",
            Self::RequestBody => "request body failed",
            Self::ResponseBody => "response body broke off",
        }
    }
}

impl fmt::Debug for ConnectorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectorError")
            .field("kind", &self.0.kind)
            .field("fault", &self.0.fault)
            .field("endpoint", &self.0.endpoint)
            .field("source", &self.0.source)
            .finish()
    }
}

impl fmt::Display for ConnectorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.endpoint {
            Some(endpoint) => write!(f, "request to {endpoint} failed"),
            None => f.write_str("request failed"),
        }
    }
}

impl Error for ConnectorError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.0.source)
    }
}
