use std::error::Error;
use std::fmt;
use std::sync::Arc;

use http::Uri;

/// Where a request goes: scheme, host and port, in the normal form of RFC 3986 §6.2.2.1 and §6.2.3
/// (lower case, the scheme's default port written out).
///
/// ```
/// use outrigger_core::Endpoint;
///
/// let endpoint = Endpoint::of(&"HTTPS://Example.COM/path?query".parse().unwrap()).unwrap();
/// assert_eq!(endpoint.to_string(), "https://example.com:443");
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Endpoint {
    normal: Arc<str>,
    host: (u16, u16),
    port: u16,
}

impl Endpoint {
    /// The endpoint of an absolute URI. User information, path and query play no part.
    ///
    /// # Errors
    /// [`NoEndpoint`] when the URI lacks a scheme or a host, its scheme is neither `http` nor `https`, or
    /// its port is none.
    pub fn of(uri: &Uri) -> Result<Self, NoEndpoint> {
        let (scheme, default_port) = match uri.scheme_str().ok_or(NoEndpoint("scheme"))? {
            "http" => ("http", 80),
            "https" => ("https", 443),
            _ => return Err(NoEndpoint("http or https scheme")),
        };
        let host = uri
            .host()
            .filter(|host| !host.is_empty())
            .ok_or(NoEndpoint("host"))?;
        let port = port_of(uri)?.unwrap_or(default_port);
        let normal = format!("{scheme}://{}:{port}", host.to_ascii_lowercase());
        let start = scheme.len() + "://".len();
        let span = |at: usize| u16::try_from(at).map_err(|_| NoEndpoint("host of sane length"));
        Ok(Self {
            host: (span(start)?, span(start + host.len())?),
            port,
            normal: normal.into(),
        })
    }

    /// `http` or `https`.
    pub fn scheme(&self) -> &str {
        if self.is_https() { "https" } else { "http" }
    }

    /// The host in lower case; an IPv6 address keeps its brackets.
    pub fn host(&self) -> &str {
        let (start, end) = self.host;
        self.normal
            .get(usize::from(start)..usize::from(end))
            .unwrap_or_default()
    }

    /// The port, the scheme's own when the URI named none.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Whether the scheme is `https`.
    pub fn is_https(&self) -> bool {
        self.normal.starts_with("https:")
    }

    /// `scheme://host:port`.
    pub fn as_str(&self) -> &str {
        &self.normal
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.normal)
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.normal)
    }
}

/// The port that a URI names; an empty one is none (RFC 3986 §3.2.3). To [`Uri`] one that is no number, or
/// too large a one, is none either: a request would go to the scheme's own port, and so to another server.
pub(crate) fn port_of(uri: &Uri) -> Result<Option<u16>, NoEndpoint> {
    let port = uri.port_u16();
    let None = port else { return Ok(port) };
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    let portless = authority.strip_suffix(':').unwrap_or(authority);
    let user = portless.strip_suffix(uri.host().unwrap_or_default());
    let ends = user.is_some_and(|user| user.is_empty() || user.ends_with('@'));
    ends.then_some(None).ok_or(NoEndpoint("valid port"))
}

/// A URI that names no endpoint: what it lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoEndpoint(&'static str);

impl fmt::Display for NoEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the request's uri has no {}", self.0)
    }
}

impl Error for NoEndpoint {}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(uri: &str) -> Result<String, String> {
        let endpoint = Endpoint::of(&uri.parse().unwrap()).map_err(|error| error.to_string())?;
        assert_eq!(
            format!(
                "{}://{}:{}",
                endpoint.scheme(),
                endpoint.host(),
                endpoint.port()
            ),
            endpoint.as_str()
        );
        Ok(endpoint.to_string())
    }

    #[test]
    fn spellings_of_one_endpoint_are_equal() {
        let spellings = [
            "http://a.example",
            "http://A.Example:80/",
            "HTTP://u:p@a.example/x?y",
            "http://a.example:/",
        ];
        for uri in spellings {
            assert_eq!(of(uri).as_deref(), Ok("http://a.example:80"), "{uri}");
        }
        assert_eq!(of("https://[::1]/").as_deref(), Ok("https://[::1]:443"));
    }

    #[test]
    fn what_names_no_endpoint_is_refused() {
        assert_eq!(of("/path").unwrap_err(), "the request's uri has no scheme");
        assert_eq!(
            of("ftp://a").unwrap_err(),
            "the request's uri has no http or https scheme"
        );
        for port in ["65536", "99999999999", "abc", "-1"] {
            let lacking = of(&format!("http://a.example:{port}/"));
            assert_eq!(
                lacking.unwrap_err(),
                "the request's uri has no valid port",
                "{port}"
            );
        }
        assert!(of("http://c:abc/").is_err(), "though it ends like its host");
        assert_eq!(of("http://u:p@c:/").unwrap(), of("http://c/").unwrap());
        assert!(of("http://:80/").is_err() || "http://:80/".parse::<Uri>().is_err());
    }
}
