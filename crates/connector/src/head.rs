use std::mem;

use http::header::{HOST, PROXY_AUTHORIZATION};
use http::uri::{PathAndQuery, Scheme};
use http::{HeaderValue, Request, Uri, Version};

/// How a proxy that sends requests on wants them: with whole URIs (RFC 9112 §3.2.2) and, where it knows
/// its users, with these credentials.
#[derive(Clone, Debug, Default)]
pub(crate) struct Forward {
    pub(crate) authorization: Option<HeaderValue>,
}

/// A request's head as the caller wrote it, while HTTP/1.1's form of it is on its way.
///
/// A server wants the path alone and a `Host` (RFC 9112 §3.2.1), a proxy the whole URI (§3.2.2).
pub(crate) struct CallersHead {
    uri: Uri,
    version: Version,
    hostless: bool,
    authorized: bool,
}

impl CallersHead {
    /// Rewrites the head for HTTP/1.1. What is no HTTP/1 version becomes HTTP/1.1: hyper takes no
    /// other.
    pub(crate) fn rewrite<B>(request: &mut Request<B>, forward: Option<&Forward>) -> Self {
        let hostless = !request.headers().contains_key(HOST);
        if hostless && let Some(host) = host(request.uri()) {
            request.headers_mut().insert(HOST, host);
        }
        let path = request.uri().path_and_query().cloned();
        let credentials = forward.and_then(|forward| forward.authorization.as_ref());
        let credentials =
            credentials.filter(|_| !request.headers().contains_key(PROXY_AUTHORIZATION));
        let authorized = credentials.is_some();
        if let Some(credentials) = credentials.cloned() {
            request
                .headers_mut()
                .insert(PROXY_AUTHORIZATION, credentials);
        }
        let uri = if forward.is_some() {
            request.uri().clone()
        } else {
            let path = path.unwrap_or_else(|| PathAndQuery::from_static("/"));
            mem::replace(request.uri_mut(), path.into())
        };
        let version = request.version();
        if version != Version::HTTP_10 {
            *request.version_mut() = Version::HTTP_11;
        }
        Self {
            uri,
            version,
            hostless,
            authorized,
        }
    }

    /// Puts the caller's head back: the request goes elsewhere.
    pub(crate) fn restore<B>(self, request: &mut Request<B>) {
        if self.hostless {
            request.headers_mut().remove(HOST);
        }
        if self.authorized {
            request.headers_mut().remove(PROXY_AUTHORIZATION);
        }
        *request.uri_mut() = self.uri;
        *request.version_mut() = self.version;
    }
}

/// The value of `Host`: the authority, without the scheme's own port.
fn host(uri: &Uri) -> Option<HeaderValue> {
    let authority = uri.authority()?;
    let own = match uri.scheme()? {
        scheme if *scheme == Scheme::HTTPS => 443,
        _ => 80,
    };
    let text = match authority.port_u16() {
        Some(port) if port != own => authority.as_str(),
        _ => authority.host(),
    };
    HeaderValue::from_str(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(uri: &str) -> Request<()> {
        Request::get(uri).body(()).unwrap()
    }

    #[test]
    fn a_server_gets_the_path_and_the_host() {
        let cases = [
            ("http://a.example/x?y=1", "/x?y=1", "a.example"),
            ("http://a.example:80", "/", "a.example"),
            ("https://a.example:443/", "/", "a.example"),
            ("https://a.example:80/", "/", "a.example:80"),
            ("http://[::1]:8080/x", "/x", "[::1]:8080"),
        ];
        for (uri, path, host) in cases {
            let mut request = request(uri);
            CallersHead::rewrite(&mut request, None);
            assert_eq!(request.uri(), path);
            assert_eq!(request.headers()[HOST], host, "{uri}");
        }
    }

    #[test]
    fn a_proxy_gets_the_whole_uri() {
        let mut request = request("http://a.example/x");
        CallersHead::rewrite(&mut request, Some(&Forward::default()));
        assert_eq!(request.uri(), "http://a.example/x");
        assert_eq!(request.headers()[HOST], "a.example");
        assert!(!request.headers().contains_key(PROXY_AUTHORIZATION));
    }

    #[test]
    fn a_proxy_gets_its_credentials_and_nobody_else_does() {
        let forward = Forward {
            authorization: Some(HeaderValue::from_static("Basic abc")),
        };
        let mut request = request("http://a.example/x");
        let head = CallersHead::rewrite(&mut request, Some(&forward));
        assert_eq!(request.headers()[PROXY_AUTHORIZATION], "Basic abc");
        head.restore(&mut request);
        assert!(request.headers().is_empty());

        let own = HeaderValue::from_static("Bearer own");
        request.headers_mut().insert(PROXY_AUTHORIZATION, own);
        let head = CallersHead::rewrite(&mut request, Some(&forward));
        assert_eq!(request.headers()[PROXY_AUTHORIZATION], "Bearer own");
        head.restore(&mut request);
        assert_eq!(request.headers()[PROXY_AUTHORIZATION], "Bearer own");
    }

    #[test]
    fn the_callers_host_stays_and_a_returned_request_is_as_it_was() {
        let mut with_host = request("http://a.example/x");
        with_host
            .headers_mut()
            .insert(HOST, HeaderValue::from_static("b"));
        *with_host.version_mut() = Version::HTTP_2;
        let head = CallersHead::rewrite(&mut with_host, None);
        assert_eq!(with_host.headers()[HOST], "b");
        assert_eq!(with_host.version(), Version::HTTP_11);

        head.restore(&mut with_host);
        assert_eq!(with_host.uri(), "http://a.example/x");
        assert_eq!(with_host.version(), Version::HTTP_2);
        assert_eq!(with_host.headers()[HOST], "b");

        let mut without = request("http://a.example/x");
        let head = CallersHead::rewrite(&mut without, None);
        head.restore(&mut without);
        assert!(without.headers().is_empty());
    }
}
