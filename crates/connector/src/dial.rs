use std::future::poll_fn;
use std::time::Duration;

use http::Uri;
use hyper::rt::{Read, Write};
use hyper_util::client::legacy::connect::Connection;
use outrigger_core::BoxError;
use tower_service::Service;

use crate::HttpVersion;

/// What opens the transport of a connection.
///
/// Every `tower` service is one that takes the endpoint's [`Uri`] and answers with an I/O of
/// `hyper::rt` that also tells, as hyper-util's [`Connection`], whether ALPN chose HTTP/2 and whether
/// a proxy stands at its other end: hyper-util's and hyper-rustls' connectors, tunnels and SOCKS, or
/// a function that hands out one half of a pipe.
pub trait Dial {
    /// The transport.
    type Io: Read + Write + Connection + Unpin + Send + 'static;

    /// Opens a transport to the endpoint of `uri`, over which one of these versions will be spoken.
    /// Nobody waits longer than `patience`: it is what the dialer has for all the addresses it tries.
    fn dial(
        self,
        uri: Uri,
        http: HttpVersion,
        patience: Duration,
    ) -> impl Future<Output = Result<Self::Io, BoxError>> + Send;
}

impl<S> Dial for S
where
    S: Service<Uri> + Send,
    S::Response: Read + Write + Connection + Unpin + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send,
{
    type Io = S::Response;

    async fn dial(
        mut self,
        uri: Uri,
        _: HttpVersion,
        _: Duration,
    ) -> Result<S::Response, BoxError> {
        poll_fn(|cx| self.poll_ready(cx))
            .await
            .map_err(Into::into)?;
        self.call(uri).await.map_err(Into::into)
    }
}
