use std::time::Duration;

use http::Uri;
use http::uri::Scheme;
use hyper_util::client::legacy::connect::HttpConnector;
use outrigger_core::BoxError;
use tower_service::Service;

use crate::dial::Dial;
use crate::tls::Tls;
use crate::{HttpVersion, Transport};

/// Opens TCP connections, with TLS for `https`: what a connector dials with unless it is told
/// otherwise.
///
/// Names are resolved by the system; IPv6 and IPv4 addresses are tried side by side (RFC 8305), and
/// the connect timeout is divided among the addresses of a name. Nagle's algorithm is off.
#[derive(Clone, Debug)]
pub struct TcpDialer {
    tcp: HttpConnector,
    pub(crate) tls: Tls,
}

impl Default for TcpDialer {
    fn default() -> Self {
        let mut tcp = HttpConnector::new();
        tcp.set_nodelay(true);
        tcp.enforce_http(false);
        Self {
            tcp,
            tls: Tls::default(),
        }
    }
}

impl Dial for TcpDialer {
    type Io = Transport;

    async fn dial(
        mut self,
        uri: Uri,
        http: HttpVersion,
        patience: Duration,
    ) -> Result<Transport, BoxError> {
        self.tcp.set_connect_timeout(Some(patience));
        if uri.scheme() == Some(&Scheme::HTTPS) {
            return self.tls.dial(self.tcp, uri, http).await;
        }
        Ok(Transport::new(self.tcp.call(uri).await?))
    }
}
