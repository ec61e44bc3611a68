use std::collections::HashMap;
use std::error::Error;
use std::fmt;

use http::Uri;
use http::uri::{Authority, Scheme};
use outrigger_core::{Endpoint, NoEndpoint};

/// Spellings of one endpoint that are remembered; further ones are normalised at each call.
const SPELLINGS: usize = 8;

/// A URI to which no request is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BadUri {
    NoEndpoint(NoEndpoint),
    /// It would go into logs, and nobody would send it on (RFC 9110 §4.2.4).
    UserInformation,
}

impl fmt::Display for BadUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoEndpoint(error) => error.fmt(f),
            Self::UserInformation => f.write_str("the request's uri has user information"),
        }
    }
}

impl Error for BadUri {}

/// Finds an endpoint's slot by the bytes of a URI's authority as they stand, and normalises only
/// those it has not met.
#[derive(Debug, Default)]
pub(super) struct Names {
    http: HashMap<Box<str>, usize>,
    https: HashMap<Box<str>, usize>,
    endpoints: HashMap<Endpoint, Slot>,
}

#[derive(Debug)]
struct Slot {
    index: usize,
    spellings: Vec<Box<str>>,
}

impl Names {
    /// The slot of a URI that was met in this spelling.
    pub(super) fn known(&self, uri: &Uri) -> Option<usize> {
        let spellings = match uri.scheme()? {
            scheme if *scheme == Scheme::HTTP => &self.http,
            scheme if *scheme == Scheme::HTTPS => &self.https,
            _ => return None,
        };
        spellings.get(uri.authority()?.as_str()).copied()
    }

    /// The slot of this endpoint, which `vacant` gives when the endpoint is new.
    pub(super) fn learn(
        &mut self,
        uri: &Uri,
        vacant: impl FnOnce(&Endpoint) -> usize,
    ) -> Result<usize, BadUri> {
        let endpoint = Endpoint::of(uri).map_err(BadUri::NoEndpoint)?;
        let authority = uri.authority().map_or("", Authority::as_str);
        if authority.contains('@') {
            return Err(BadUri::UserInformation);
        }
        let spellings = if endpoint.is_https() {
            &mut self.https
        } else {
            &mut self.http
        };
        let slot = self
            .endpoints
            .entry(endpoint)
            .or_insert_with_key(|endpoint| Slot {
                index: vacant(endpoint),
                spellings: Vec::new(),
            });
        if slot.spellings.len() < SPELLINGS {
            let spelling: Box<str> = authority.into();
            spellings.insert(spelling.clone(), slot.index);
            slot.spellings.push(spelling);
        }
        Ok(slot.index)
    }

    pub(super) fn forget(&mut self, endpoint: &Endpoint) {
        let Some(slot) = self.endpoints.remove(endpoint) else {
            return;
        };
        let spellings = if endpoint.is_https() {
            &mut self.https
        } else {
            &mut self.http
        };
        for spelling in slot.spellings {
            spellings.remove(&spelling);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_endpoint_share_a_slot_and_are_forgotten_together() {
        let mut names = Names::default();
        let uri = |text: &str| text.parse::<Uri>().unwrap();
        assert_eq!(names.learn(&uri("http://a.example/x"), |_| 7), Ok(7));
        assert_eq!(names.learn(&uri("http://A.Example:80"), |_| 8), Ok(7));
        assert_eq!(names.known(&uri("http://A.Example:80/other")), Some(7));
        assert_eq!(names.known(&uri("https://a.example/x")), None);
        assert_eq!(names.known(&uri("/x")), None);

        names.forget(&Endpoint::of(&uri("http://a.example")).unwrap());
        assert_eq!(names.known(&uri("http://a.example")), None);
        assert!(names.http.is_empty() && names.endpoints.is_empty());
    }

    #[test]
    fn a_flood_of_spellings_is_bounded() {
        let mut names = Names::default();
        for bits in 0..64 {
            let host: String = "abcdef"
                .chars()
                .enumerate()
                .map(|(at, c)| {
                    if bits >> at & 1 == 1 {
                        c.to_ascii_uppercase()
                    } else {
                        c
                    }
                })
                .collect();
            let uri = format!("http://{host}/").parse().unwrap();
            assert_eq!(names.learn(&uri, |_| 1), Ok(1));
        }
        assert_eq!(names.http.len(), SPELLINGS);
    }
}
