//! The way through a proxy.

mod error;
mod socks5;
mod tunnel;

use std::fmt;

use http::Uri;
use http::header::HeaderValue;
use hyper_util::client::proxy::matcher::{Intercept, Matcher};

pub(crate) use self::error::ProxyError;
pub(crate) use self::socks5::negotiate;
pub(crate) use self::tunnel::tunnel;
use crate::BadProxy;

/// A proxy and what it is shown.
pub(crate) struct Proxy {
    pub(crate) kind: Kind,
    intercept: Intercept,
}

/// What a proxy speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Http,
    /// HTTP behind TLS.
    Https,
    /// SOCKS 5, which is told an address.
    Socks5,
    /// SOCKS 5, which is told a name.
    Socks5h,
}

impl Proxy {
    pub(crate) fn parse(url: &str) -> Result<Self, BadProxy> {
        let any = Uri::from_static("http://any.test/");
        let matcher = Matcher::builder().all(url).build();
        let intercept = matcher.intercept(&any).ok_or(BadProxy::new())?;
        let kind = match intercept.uri().scheme_str() {
            Some("http") => Kind::Http,
            Some("https") => Kind::Https,
            Some("socks5") => Kind::Socks5,
            Some("socks5h") => Kind::Socks5h,
            _ => return Err(BadProxy::new()),
        };
        let proxy = Self { kind, intercept };
        let fits = |part: &str| (1..=255).contains(&part.len());
        let credentials = proxy.credentials();
        if proxy.host().is_empty() || credentials.is_some_and(|(u, p)| !fits(u) || !fits(p)) {
            return Err(BadProxy::new());
        }
        Ok(proxy)
    }

    pub(crate) fn uri(&self) -> &Uri {
        self.intercept.uri()
    }

    pub(crate) fn host(&self) -> &str {
        self.uri().host().unwrap_or_default()
    }

    pub(crate) fn port(&self) -> u16 {
        let own = match self.kind {
            Kind::Http => 80,
            Kind::Https => 443,
            Kind::Socks5 | Kind::Socks5h => 1080,
        };
        self.uri().port_u16().unwrap_or(own)
    }

    /// What an HTTP proxy is shown. It is marked sensitive.
    pub(crate) fn authorization(&self) -> Option<&HeaderValue> {
        self.intercept.basic_auth()
    }

    /// User and password for a SOCKS proxy.
    pub(crate) fn credentials(&self) -> Option<(&str, &str)> {
        self.intercept.raw_auth()
    }
}

/// Scheme, host and port: never the credentials.
impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = self.uri().scheme_str().unwrap_or_default();
        write!(f, "{scheme}://{}:{}", self.host(), self.port())
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_of_proxies_are_read() {
        let cases = [
            ("proxy.test", Kind::Http, "http://proxy.test:80"),
            (
                "http://proxy.test:3128/",
                Kind::Http,
                "http://proxy.test:3128",
            ),
            (
                "https://a:b@proxy.test",
                Kind::Https,
                "https://proxy.test:443",
            ),
            ("socks5://[::1]", Kind::Socks5, "socks5://[::1]:1080"),
            ("socks5h://a:b@x:9", Kind::Socks5h, "socks5h://x:9"),
        ];
        for (url, kind, text) in cases {
            let proxy = Proxy::parse(url).unwrap();
            assert_eq!((proxy.kind, &*proxy.to_string()), (kind, text), "{url}");
        }
        let proxy = Proxy::parse("http://us%65r:p%40ss@proxy.test").unwrap();
        let authorization = proxy.authorization().unwrap();
        assert_eq!(authorization, "Basic dXNlcjpwQHNz");
        assert!(authorization.is_sensitive());
        let proxy = Proxy::parse("socks5://us%65r:p%40ss@proxy.test").unwrap();
        assert_eq!(proxy.credentials(), Some(("user", "p@ss")));
    }

    #[test]
    fn what_is_no_url_of_a_proxy_is_refused() {
        let long = format!("socks5://a:{}@proxy.test", "b".repeat(256));
        for url in [
            "",
            "/",
            "ftp://a",
            "socks4://a",
            "socks5://a@b",
            "http://",
            "a b",
            &long,
        ] {
            assert!(Proxy::parse(url).is_err(), "{url}");
        }
    }
}
