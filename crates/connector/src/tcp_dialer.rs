use std::net::SocketAddr;
use std::time::Duration;

use http::Uri;
use http::uri::Scheme;
use hyper_util::client::legacy::connect::dns::Name;
use hyper_util::rt::TokioIo;
use outrigger_core::BoxError;
use tokio::net::TcpStream;
use tower_service::Service;

use crate::dial::Dial;
use crate::race::race;
use crate::resolver::Resolver;
use crate::tls::Tls;
use crate::{Connector, HttpVersion, Transport};

/// Opens TCP connections, with TLS for `https`: what a connector dials with unless it is told
/// otherwise.
///
/// Names are resolved by the system or by a [`resolver`](Connector::resolver). A host's addresses are
/// tried side by side, each 250 ms after the one before or as soon as that one fails, IPv6 and IPv4 in
/// turn (RFC 8305): one that is silent costs no more. Nagle's algorithm is off.
#[derive(Clone, Debug, Default)]
pub struct TcpDialer {
    resolver: Resolver,
    pub(crate) tls: Tls,
}

impl<B> Connector<B, TcpDialer> {
    /// Asks this service for the addresses of a host, in place of the system; it sees every address
    /// before it is dialled.
    ///
    /// It is asked anew for each connection, so that a host that moves is followed within
    /// [`max_age`](Self::max_age), and for literal addresses too: what it does not name is not dialled.
    /// Where it names none, the call fails for good. Of a host's addresses the first 32 are used, and
    /// the port is always that of the URI.
    ///
    /// ```
    /// use bytes::Bytes;
    /// use http_body_util::Full;
    /// use hyper_util::client::legacy::connect::dns::GaiResolver;
    /// use outrigger_connector::Connector;
    /// use tower::{Service, ServiceExt};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// // Users of ours may name a host, but none of our own network, and none by IPv6.
    /// let public = GaiResolver::new().map_response(|addresses| {
    ///     addresses.filter(|address| match address.ip() {
    ///         std::net::IpAddr::V4(ip) => !(ip.is_loopback() || ip.is_private() || ip.is_link_local()),
    ///         std::net::IpAddr::V6(_) => false,
    ///     })
    /// });
    /// let mut connector = Connector::<Full<Bytes>>::new().resolver(public);
    /// let request = http::Request::get("http://127.0.0.1:22/").body(Full::default()).unwrap();
    /// let error = connector.call(request).await.unwrap_err();
    /// assert!(!error.fault().retry);
    /// # }
    /// ```
    #[must_use]
    pub fn resolver<S>(self, service: S) -> Self
    where
        S: Service<Name> + Clone + Send + Sync + 'static,
        S::Response: Iterator<Item = SocketAddr>,
        S::Error: Into<BoxError>,
        S::Future: Send,
    {
        self.set_dialer(|dialer| dialer.resolver = Resolver::given(service))
    }

    pub(crate) fn set_dialer(self, change: impl FnOnce(&mut TcpDialer)) -> Self {
        let mut dialer = self.shared.dialer();
        change(&mut dialer);
        self.dialer(dialer)
    }
}

impl TcpDialer {
    async fn open(
        &self,
        host: &str,
        port: u16,
        patience: Duration,
    ) -> Result<TokioIo<TcpStream>, BoxError> {
        let addresses = self.resolver.addresses(host, port).await?;
        let stream = race(addresses, patience, TcpStream::connect).await?;
        stream.set_nodelay(true)?;
        Ok(TokioIo::new(stream))
    }
}

impl Dial for TcpDialer {
    type Io = Transport;

    async fn dial(
        self,
        uri: Uri,
        http: HttpVersion,
        patience: Duration,
    ) -> Result<Transport, BoxError> {
        let host = uri.host().unwrap_or_default();
        let port = uri.port_u16().unwrap_or_default();
        let stream = self.open(host, port, patience).await?;
        if uri.scheme() == Some(&Scheme::HTTPS) {
            return self.tls.wrap(stream, uri, http).await;
        }
        Ok(Transport::new(stream))
    }
}
