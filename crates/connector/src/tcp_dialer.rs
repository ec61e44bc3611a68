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
use crate::head::Forward;
use crate::proxy::{Kind, Proxy, ProxyError, negotiate, tunnel};
use crate::race::race;
use crate::resolver::Resolver;
use crate::tls::Tls;
use crate::{Connector, HttpVersion, Proxies, Transport};

/// Opens TCP connections, with TLS for `https`: what a connector dials with unless it is told
/// otherwise.
///
/// Names are resolved by the system or by a [`resolver`](Connector::resolver). A host's addresses are
/// tried side by side, each 250 ms after the one before or as soon as that one fails, IPv6 and IPv4 in
/// turn (RFC 8305): one that is silent costs no more. Nagle's algorithm is off.
#[derive(Clone, Debug, Default)]
pub struct TcpDialer {
    resolver: Resolver,
    proxies: Proxies,
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

    /// Goes through these proxies; [`Proxies::from_env`] takes those of the environment. By default none.
    ///
    /// Through a proxy, a [`resolver`](Self::resolver) is asked for the proxy's name, and for that of
    /// the endpoint only before `socks5`: all other proxies resolve it themselves.
    #[must_use]
    pub fn proxies(self, proxies: Proxies) -> Self {
        self.set_dialer(|dialer| dialer.proxies = proxies)
    }

    pub(crate) fn set_dialer(self, change: impl FnOnce(&mut TcpDialer)) -> Self {
        let mut dialer = self.shared.dialer();
        change(&mut dialer);
        self.dialer(dialer)
    }
}

impl TcpDialer {
    /// Opens a TCP connection.
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

    /// Opens a connection to a proxy and, over it, one to the host of `uri`; over one to an HTTP proxy
    /// that needs none, HTTP/1.1 requests are handed to the proxy itself.
    async fn open_through(
        &self,
        proxy: &Proxy,
        uri: &Uri,
        http: HttpVersion,
        patience: Duration,
    ) -> Result<Transport, BoxError> {
        let unreachable = |error| ProxyError::passing("cannot be reached").with_source(error);
        let stream = self.open(proxy.host(), proxy.port(), patience).await;
        let mut stream = stream.map_err(unreachable)?;
        let (host, port) = host_and_port(uri);
        let io = match proxy.kind {
            Kind::Http => Transport::new(stream),
            Kind::Https => {
                let secure = self
                    .tls
                    .wrap(stream, proxy.uri().clone(), HttpVersion::Http1);
                secure.await.map_err(unreachable)?
            }
            Kind::Socks5 | Kind::Socks5h => {
                let mut host = host.trim_matches(['[', ']']).to_owned();
                if proxy.kind == Kind::Socks5
                    && let Some(address) = self.resolver.addresses(&host, port).await?.first()
                {
                    host = address.ip().to_string();
                }
                negotiate(stream.inner_mut(), &host, port, proxy.credentials()).await?;
                return Ok(Transport::new(stream));
            }
        };
        let authorization = proxy.authorization();
        if uri.scheme() == Some(&Scheme::HTTP) && !http.is_http2_without_asking() {
            let authorization = authorization.cloned();
            return Ok(io.forwarding(Forward { authorization }));
        }
        let target = format!("{host}:{port}");
        Ok(Transport::new(tunnel(io, &target, authorization).await?))
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
        let secure = uri.scheme() == Some(&Scheme::HTTPS);
        if let Some(proxy) = self.proxies.of(&uri) {
            let way = self.open_through(proxy, &uri, http, patience).await;
            let way = way.map_err(|error| match error.downcast::<ProxyError>() {
                Ok(error) => error.of(proxy).into(),
                Err(error) => error,
            })?;
            return match secure {
                true => self.tls.wrap(way, uri, http).await,
                false => Ok(way),
            };
        }
        let (host, port) = host_and_port(&uri);
        let stream = self.open(host, port, patience).await?;
        match secure {
            true => self.tls.wrap(stream, uri, http).await,
            false => Ok(Transport::new(stream)),
        }
    }
}

/// An endpoint's URI names both.
fn host_and_port(uri: &Uri) -> (&str, u16) {
    let port = uri.port_u16().unwrap_or_default();
    (uri.host().unwrap_or_default(), port)
}
