use http::header::{Entry, HeaderName, OccupiedEntry};
use http::{HeaderValue, Method, Request};

use crate::honoured::Honoured;
use crate::{IdempotencyKey, KeyFormat};

/// What the layer was told: which requests get a key, where and how it is written, who honours it.
#[derive(Clone, Debug)]
pub(crate) struct Keys {
    pub(crate) header: HeaderName,
    pub(crate) format: KeyFormat,
    pub(crate) methods: Vec<Method>,
    pub(crate) honoured: Honoured,
}

impl Keys {
    /// Whether the request is to carry a key: by its method, or by the caller's wish.
    pub(crate) fn concern<B>(&self, request: &Request<B>) -> bool {
        self.methods.contains(request.method())
            || request.extensions().get::<IdempotencyKey>().is_some()
    }

    /// Gives the request its key, and says whether its server is known to honour it.
    pub(crate) fn settle<B>(&self, request: &mut Request<B>) -> bool {
        self.inject(request) && self.honoured.by(request.uri())
    }

    /// Leaves the caller's header as it is, else writes a key. Says whether the request now carries
    /// exactly one.
    fn inject<B>(&self, request: &mut Request<B>) -> bool {
        let own = request.extensions().get::<IdempotencyKey>().cloned();
        match request.headers_mut().try_entry(&self.header) {
            Ok(Entry::Occupied(mut entry)) => one_secret(&mut entry),
            Ok(Entry::Vacant(entry)) => {
                let value = match own {
                    Some(key) => self.format.value(&key),
                    None => self.format.random(),
                };
                value.is_some_and(|value| entry.try_insert(value).is_ok())
            }
            Err(_no_room) => false,
        }
    }
}

/// Hides the caller's values; says whether they are one key. Several are forbidden by
/// draft-ietf-httpapi-idempotency-key-header §2.1, and nobody knows which one a server reads.
fn one_secret(entry: &mut OccupiedEntry<'_, HeaderValue>) -> bool {
    entry.iter_mut().for_each(|value| value.set_sensitive(true));
    let mut values = entry.iter();
    values.next().is_some_and(|first| !first.is_empty()) && values.next().is_none()
}
