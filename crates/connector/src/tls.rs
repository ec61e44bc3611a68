use std::error::Error;
use std::future::{Ready, ready};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::{fmt, io};

use http::Uri;
use hyper::rt::{Read, Write};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::connect::Connection;
use outrigger_core::{BoxError, find};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, InvalidDnsNameError, PrivateKeyDer};
use rustls::{ClientConfig, ConfigBuilder, client::WantsClientCert};
use rustls_platform_verifier::Verifier;
use tower_service::Service;

use crate::{Connector, HttpVersion, TcpDialer, Transport};

/// What servers are believed, and what they are shown.
///
/// The configuration is made at the first connection: reading the platform's roots takes a while, and
/// it may fail.
#[derive(Clone, Default)]
pub(crate) struct Tls {
    given: Option<Arc<ClientConfig>>,
    roots: Vec<CertificateDer<'static>>,
    identity: Option<Arc<Identity>>,
    made: Arc<OnceLock<Arc<ClientConfig>>>,
}

/// A client certificate with its chain, and its key.
type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

impl<B> Connector<B, TcpDialer> {
    /// Believes certificates of this authority too, next to those the platform believes.
    #[must_use]
    pub fn root_certificate(self, authority: CertificateDer<'static>) -> Self {
        self.set_tls(|tls| tls.roots.push(authority))
    }

    /// Shows this certificate, its chain after it, to servers that ask for one.
    #[must_use]
    pub fn client_certificate(
        self,
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Self {
        self.set_tls(|tls| tls.identity = Some(Arc::new((chain, key))))
    }

    /// Uses this TLS configuration as it is, in place of everything else said of certificates. Of the
    /// ALPN protocols that it names those are offered that [`http`](Self::http) speaks, and all of these
    /// where it names none.
    #[must_use]
    pub fn tls(self, config: impl Into<Arc<ClientConfig>>) -> Self {
        self.set_tls(|tls| tls.given = Some(config.into()))
    }

    fn set_tls(self, change: impl FnOnce(&mut Tls)) -> Self {
        self.set_dialer(|dialer| {
            change(&mut dialer.tls);
            dialer.tls.made = Arc::default();
        })
    }
}

impl Tls {
    /// Begins TLS with the host of `uri` at the other end of a transport.
    pub(crate) async fn wrap<T>(
        &self,
        io: T,
        uri: Uri,
        http: HttpVersion,
    ) -> Result<Transport, BoxError>
    where
        T: Read + Write + Connection + Unpin + Send + 'static,
    {
        let mut config = ClientConfig::clone(&*self.config()?);
        config.alpn_protocols = alpn(&config.alpn_protocols, http);
        let stream = HttpsConnector::from((Opened(Some(io)), config))
            .call(uri)
            .await?;
        let http2 = stream.connected().is_negotiated_h2();
        Ok(Transport::negotiated(stream, http2))
    }

    fn config(&self) -> Result<Arc<ClientConfig>, rustls::Error> {
        if let Some(config) = self.given.as_ref().or(self.made.get()) {
            return Ok(Arc::clone(config));
        }
        let config = Arc::new(self.make()?);
        Ok(Arc::clone(self.made.get_or_init(|| config)))
    }

    fn make(&self) -> Result<ClientConfig, rustls::Error> {
        let provider = Arc::new(provider()?);
        let roots = self.roots.iter().cloned();
        let verifier = Verifier::new_with_extra_roots(roots, Arc::clone(&provider))?;
        let config: ConfigBuilder<_, WantsClientCert> =
            ClientConfig::builder_with_provider(provider)
                .with_safe_default_protocol_versions()?
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(verifier));
        match self.identity.as_deref() {
            Some((chain, key)) => config.with_client_auth_cert(chain.clone(), key.clone_key()),
            None => Ok(config.with_no_client_auth()),
        }
    }
}

/// A transport that is open already, for a connector that wants to open it.
struct Opened<T>(Option<T>);

impl<T> Service<Uri> for Opened<T> {
    type Response = T;
    type Error = io::Error;
    type Future = Ready<io::Result<T>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        ready(self.0.take().ok_or(io::ErrorKind::NotConnected.into()))
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls")
            .field("given", &self.given.is_some())
            .field("roots", &self.roots.len())
            .field("identity", &self.identity.is_some())
            .finish()
    }
}

/// Whether a TLS handshake was refused by one of its sides. It will be refused again (RFC 8446 §6).
pub(crate) fn refused(error: &(dyn Error + 'static)) -> bool {
    find::<rustls::Error>(error).is_some() || find::<InvalidDnsNameError>(error).is_some()
}

/// The protocols to offer by ALPN (RFC 7301), the preferred one first: of those that were given, or of
/// all, the ones that will be spoken.
fn alpn(given: &[Vec<u8>], http: HttpVersion) -> Vec<Vec<u8>> {
    let spoken: &[&[u8]] = match http {
        HttpVersion::Http1 => &[b"http/1.1"],
        HttpVersion::Http2 => &[b"h2"],
        HttpVersion::Auto | HttpVersion::H2c => &[b"h2", b"http/1.1"],
    };
    let known = given.iter().filter(|name| spoken.contains(&&***name));
    let chosen: Vec<_> = known.cloned().collect();
    if chosen.is_empty() {
        return spoken.iter().map(|name| name.to_vec()).collect();
    }
    chosen
}

/// The cryptography to use. It is named, never left to a process-wide default.
fn provider() -> Result<CryptoProvider, rustls::Error> {
    #[cfg(feature = "aws-lc-rs")]
    return Ok(rustls::crypto::aws_lc_rs::default_provider());
    #[cfg(all(feature = "ring", not(feature = "aws-lc-rs")))]
    return Ok(rustls::crypto::ring::default_provider());
    #[cfg(not(any(feature = "aws-lc-rs", feature = "ring")))]
    return Err(rustls::Error::General(
        "no cryptography: the feature `aws-lc-rs` or `ring` is needed".to_owned(),
    ));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_will_be_spoken_is_offered() {
        let [h1, h2, other] = [&b"http/1.1"[..], b"h2", b"imap"];
        let cases = [
            (vec![], HttpVersion::Auto, vec![h2, h1]),
            (vec![], HttpVersion::Http1, vec![h1]),
            (vec![h1, h2], HttpVersion::H2c, vec![h1, h2]),
            (vec![h2, h1], HttpVersion::Http1, vec![h1]),
            (vec![h1], HttpVersion::Http2, vec![h2]),
            (vec![other, h1], HttpVersion::Auto, vec![h1]),
        ];
        for (given, http, offered) in cases {
            let given: Vec<_> = given.iter().map(|name| name.to_vec()).collect();
            assert_eq!(alpn(&given, http), offered, "{given:?} {http:?}");
        }
    }
}
