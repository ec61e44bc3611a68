use http::Uri;
use outrigger_core::Endpoint;

/// Which servers are known to honour the key.
#[derive(Clone, Debug)]
pub(crate) enum Honoured {
    Nowhere,
    Everywhere,
    At(Vec<Endpoint>),
}

impl Honoured {
    /// Whether the server that this URI names is one of them.
    pub(crate) fn by(&self, uri: &Uri) -> bool {
        match self {
            Self::Nowhere => false,
            Self::Everywhere => true,
            Self::At(endpoints) => name_of(uri).is_some_and(|(scheme, host, port)| {
                endpoints.iter().any(|endpoint| {
                    port == endpoint.port()
                        && scheme == endpoint.scheme()
                        && host.eq_ignore_ascii_case(endpoint.host())
                })
            }),
        }
    }
}

/// What names an endpoint, as the URI spells it: normalised on the heap it would cost more.
fn name_of(uri: &Uri) -> Option<(&str, &str, u16)> {
    let scheme = uri.scheme_str()?;
    let default_port = if scheme == "https" { 443 } else { 80 };
    Some((scheme, uri.host()?, uri.port_u16().unwrap_or(default_port)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const URI: &str =
        r"(http|HTTPS?|https)://(u:p@)?[aAbB]\.(example|EXAMPLE)(:|:80|:443|:8080)?/?";

    proptest! {
        #[test]
        fn a_uri_is_at_the_endpoint_that_it_normalises_to_and_at_no_other(
            one in URI,
            other in URI,
        ) {
            let (one, other): (Uri, Uri) = (one.parse().unwrap(), other.parse().unwrap());
            let (endpoint, same) = (Endpoint::of(&one).unwrap(), Endpoint::of(&other).unwrap());
            prop_assert_eq!(Honoured::At(vec![endpoint.clone()]).by(&other), endpoint == same);
        }
    }

    #[test]
    fn a_relative_uri_is_at_no_endpoint() {
        let endpoint = Endpoint::of(&Uri::from_static("http://a.example")).unwrap();
        assert!(!Honoured::At(vec![endpoint]).by(&Uri::from_static("/path")));
    }
}
