//! How requests of the command travel: the default stack over one connector.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use http::{Request, Response, StatusCode};
use http_body::Body;
use http_body_util::BodyExt;
use outrigger::connector::{Connector, HttpVersion, Proxies};
use outrigger::{BoxError, Error, Layers, SentBody};
use tower::util::BoxCloneSyncService;
use tower::{ServiceBuilder, ServiceExt};

use crate::options::{Options, Protocol, Span};
use crate::pem;
use crate::request::RequestBody;
use crate::usage::Usage;

/// The connector under the default stack.
pub(crate) type Wire = Connector<SentBody<RequestBody>>;

/// A connector as the options want it.
pub(crate) fn connector(options: &Options) -> Result<Wire, Usage> {
    let http = match options.http {
        Protocol::Auto => HttpVersion::Auto,
        Protocol::One => HttpVersion::Http1,
        Protocol::Two => HttpVersion::Http2,
        Protocol::H2c => HttpVersion::H2c,
    };
    let Span(connect_timeout) = options.connect_timeout;
    let mut connector = Wire::new()
        .http(http)
        .connect_timeout(connect_timeout)
        .proxies(proxies(options)?);
    if let Some(limit) = options.max_connections {
        connector = connector
            .max_connections(limit.get())
            .max_connections_per_endpoint(limit.get());
    }
    if let Some(path) = &options.cacert {
        for authority in pem::certificates(path)? {
            connector = connector.root_certificate(authority);
        }
    }
    if let (Some(chain), Some(key)) = (&options.cert, &options.key) {
        connector = connector.client_certificate(pem::certificates(chain)?, pem::key(key)?);
    }
    Ok(connector)
}

/// The proxies on the way. What is wrong with one is said without repeating it: it may hold a password.
fn proxies(options: &Options) -> Result<Proxies, Usage> {
    match &options.proxy {
        _ if options.no_proxy => Ok(Proxies::default()),
        Some(url) => Proxies::all(url).map_err(|bad| Usage::new(format!("--proxy: {bad}"))),
        None => Proxies::from_env().map_err(|bad| Usage::new(bad.to_string())),
    }
}

/// Calls through the default stack, each read to its end and answered with its status.
pub(crate) type Calls = BoxCloneSyncService<Request<RequestBody>, StatusCode, Error>;

/// These layers over a connector whose requests are counted.
pub(crate) fn calls(layers: Layers, connector: Wire, sent: &Sent) -> Calls {
    let sent = sent.clone();
    let counted = ServiceBuilder::new()
        .map_request(move |request| {
            sent.count();
            request
        })
        .service(connector);
    BoxCloneSyncService::new(layers.over(counted).and_then(drain))
}

/// Reads a response to its end and gives its status.
pub(crate) async fn drain<B>(response: Response<B>) -> Result<StatusCode, Error>
where
    B: Body<Error: Into<BoxError>> + Unpin,
{
    let (parts, mut body) = response.into_parts();
    while let Some(frame) = body.frame().await {
        frame.map_err(|error| Error::from(error.into()))?;
    }
    Ok(parts.status)
}

/// How many requests have been sent.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sent(Arc<AtomicU64>);

impl Sent {
    /// Counts one.
    pub(crate) fn count(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// All so far.
    pub(crate) fn total(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
