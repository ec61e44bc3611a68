use std::borrow::Cow;
use std::error::Error;
use std::fmt;

use outrigger_core::{BoxError, Fault, Outcome};

use super::Proxy;

/// A proxy did not let a connection through: which one, and why.
#[derive(Debug)]
pub(crate) struct ProxyError {
    proxy: String,
    why: Cow<'static, str>,
    retry: bool,
    source: Option<BoxError>,
}

impl ProxyError {
    /// Another attempt may fare better.
    pub(crate) fn passing(why: impl Into<Cow<'static, str>>) -> Self {
        Self {
            proxy: String::new(),
            why: why.into(),
            retry: true,
            source: None,
        }
    }

    /// The proxy will say the same again.
    pub(crate) fn lasting(why: impl Into<Cow<'static, str>>) -> Self {
        Self {
            retry: false,
            ..Self::passing(why)
        }
    }

    pub(crate) fn with_source(mut self, source: impl Into<BoxError>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// The same of this proxy.
    pub(crate) fn of(mut self, proxy: &Proxy) -> Self {
        self.proxy = proxy.to_string();
        self
    }

    /// Nothing has come through to the endpoint.
    pub(crate) fn fault(&self) -> Fault {
        let mut fault = Fault::new(Outcome::Unsent);
        fault.retry = self.retry;
        fault
    }
}

impl fmt::Display for ProxyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the proxy {} {}", self.proxy, self.why)
    }
}

impl Error for ProxyError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
