use std::env;
use std::fmt;
use std::sync::Arc;

use http::Uri;
use hyper_util::client::proxy::matcher::Matcher;

use crate::BadProxy;
use crate::proxy::Proxy;

/// Which endpoints are reached through which proxy.
///
/// A proxy is named by a URL: `http://` or `https://`, to which `https` endpoints are tunnelled by
/// CONNECT and plain HTTP/1.1 requests are handed whole; `socks5h://`, where the proxy resolves the
/// endpoint's name, or `socks5://`, where it is resolved here. The port is 80, 443 or 1080 where the
/// URL names none. User and password in it are shown to the proxy and to nobody else, and stand in no
/// error and no `Debug`.
///
/// ```
/// use outrigger_connector::Proxies;
///
/// let proxies = Proxies::all("http://user:secret@proxy.test:3128")?.direct("localhost, 10.0.0.0/8");
/// assert!(!format!("{proxies:?}").contains("secret"));
/// # Ok::<_, outrigger_connector::BadProxy>(())
/// ```
#[derive(Clone, Default)]
pub struct Proxies {
    http: Option<Arc<Proxy>>,
    https: Option<Arc<Proxy>>,
    direct: Option<Arc<Matcher>>,
}

impl Proxies {
    /// One proxy for all endpoints.
    ///
    /// # Errors
    /// [`BadProxy`] when `url` is no URL of a proxy.
    pub fn all(url: &str) -> Result<Self, BadProxy> {
        let proxy = Some(Arc::new(Proxy::parse(url)?));
        Ok(Self {
            http: proxy.clone(),
            https: proxy,
            direct: None,
        })
    }

    /// What the environment says: `HTTP_PROXY` and `HTTPS_PROXY` for endpoints of these schemes,
    /// `ALL_PROXY` for those without one of their own, `NO_PROXY` for those to be reached
    /// [directly](Self::direct); the names in lower case where there are none in upper case. Nothing
    /// where it says nothing, or in a CGI script, whose callers choose `HTTP_PROXY`.
    ///
    /// # Errors
    /// [`BadProxy`] when one of them holds something else than the URL of a proxy.
    pub fn from_env() -> Result<Self, BadProxy> {
        Self::from_variables(|name| env::var(name).ok())
    }

    /// Reaches these hosts directly: a list with commas of names, which stand for their subdomains
    /// too, of addresses, of networks such as `10.0.0.0/8`, or `*` for all. By default none.
    #[must_use]
    pub fn direct(mut self, hosts: &str) -> Self {
        let matcher = Matcher::builder().all("http://proxy").no(hosts).build();
        self.direct = Some(Arc::new(matcher));
        self
    }

    /// The proxy on the way to an endpoint.
    pub(crate) fn of(&self, uri: &Uri) -> Option<&Proxy> {
        let direct = self.direct.as_ref();
        if direct.is_some_and(|direct| direct.intercept(uri).is_none()) {
            return None;
        }
        match uri.scheme_str() {
            Some("https") => self.https.as_deref(),
            _ => self.http.as_deref(),
        }
    }

    fn from_variables(get: impl Fn(&str) -> Option<String>) -> Result<Self, BadProxy> {
        if get("REQUEST_METHOD").is_some() {
            return Ok(Self::default());
        }
        let get = |name: &str| get(name).or_else(|| get(&name.to_ascii_lowercase()));
        let proxy = |name: &'static str| {
            let url = get(name).filter(|url| !url.is_empty());
            let proxy = url.map(|url| Proxy::parse(&url)).transpose();
            proxy
                .map(|proxy| proxy.map(Arc::new))
                .map_err(|bad| bad.of(name))
        };
        let all = proxy("ALL_PROXY")?;
        let proxies = Self {
            http: proxy("HTTP_PROXY")?.or(all.clone()),
            https: proxy("HTTPS_PROXY")?.or(all),
            direct: None,
        };
        Ok(match get("NO_PROXY") {
            Some(hosts) => proxies.direct(&hosts),
            None => proxies,
        })
    }
}

impl fmt::Debug for Proxies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxies")
            .field("http", &self.http)
            .field("https", &self.https)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(variables: &[(&str, &str)], uri: &str) -> Option<String> {
        let get = |name: &str| {
            let mut found = variables.iter().filter(|(known, _)| *known == name);
            found.next().map(|(_, value)| (*value).to_owned())
        };
        let proxies = Proxies::from_variables(get).unwrap();
        proxies.of(&uri.parse().unwrap()).map(ToString::to_string)
    }

    #[test]
    fn the_environment_is_read() {
        let variables = [
            ("HTTP_PROXY", "web.test:3128"),
            ("ALL_PROXY", "socks5h://me:secret@other.test"),
            ("https_proxy", ""),
            ("NO_PROXY", "localhost, .internal.test,10.0.0.0/8,::1"),
        ];
        let cases = [
            ("http://a.test:80", Some("http://web.test:3128")),
            ("https://a.test:443", Some("socks5h://other.test:1080")),
            ("http://localhost:1", None),
            ("https://x.internal.test:443", None),
            ("http://10.1.2.3:80", None),
            ("http://[::1]:80", None),
            ("http://notlocalhost:80", Some("http://web.test:3128")),
        ];
        for (uri, proxy) in cases {
            assert_eq!(of(&variables, uri).as_deref(), proxy, "{uri}");
        }
    }

    #[test]
    fn an_environment_without_proxies_and_that_of_a_cgi_script_say_nothing() {
        assert_eq!(of(&[("NO_PROXY", "*")], "http://a.test:80"), None);
        let cgi = [("REQUEST_METHOD", "GET"), ("HTTP_PROXY", "evil.test")];
        assert_eq!(of(&cgi, "http://a.test:80"), None);
    }

    #[test]
    fn what_is_no_proxy_is_said_to_be_none_and_not_repeated() {
        let bad = "ftp://me:canary@proxy.test";
        let get = |name: &str| (name == "https_proxy").then(|| bad.to_owned());
        let error = Proxies::from_variables(get).unwrap_err();
        let text = error.to_string();
        assert!(
            text.starts_with("HTTPS_PROXY is not the url of a proxy"),
            "{text}"
        );
        assert!(!format!("{error:?}{text}").contains("canary"));
    }
}
