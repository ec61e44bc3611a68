use std::sync::Arc;

use http::Method;
use http::header::HeaderName;
use outrigger_core::Endpoint;
use tower_layer::Layer;

use crate::honoured::Honoured;
use crate::keys::Keys;
use crate::{IdempotencyKeyService, KeyFormat};

/// `idempotency-key`.
pub const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Gives each call that needs one an idempotency key.
///
/// A header that the caller set is sent byte for byte, any number of values. Next comes an
/// [`IdempotencyKey`] in the request's extensions, which is sent with any method, and then a new key.
///
/// [`IdempotencyKey`]: crate::IdempotencyKey
#[derive(Clone, Debug)]
pub struct IdempotencyKeyLayer {
    keys: Keys,
    enabled: bool,
}

impl IdempotencyKeyLayer {
    /// Writes keys in this format under [`IDEMPOTENCY_KEY`], makes new ones for POST and PATCH, and
    /// takes no server to honour them.
    pub fn new(format: KeyFormat) -> Self {
        let keys = Keys {
            header: IDEMPOTENCY_KEY,
            format,
            methods: vec![Method::POST, Method::PATCH],
            honoured: Honoured::Nowhere,
        };
        Self {
            keys,
            enabled: true,
        }
    }

    /// The header that carries the key: by default [`IDEMPOTENCY_KEY`]. PayPal's is
    /// `paypal-request-id`.
    pub fn header(mut self, name: HeaderName) -> Self {
        self.keys.header = name;
        self
    }

    /// The methods whose requests get a key: by default POST and PATCH, the two of RFC 9110 and RFC
    /// 5789 that are not idempotent. A request with another method passes untouched, unless its
    /// extensions hold an [`IdempotencyKey`](crate::IdempotencyKey). None at all is allowed.
    pub fn methods(mut self, methods: impl IntoIterator<Item = Method>) -> Self {
        self.keys.methods = methods.into_iter().collect();
        self
    }

    /// Whether every server that is called through this layer executes a key at most once, for
    /// longer than a call is retried: by default not. It is a promise that only the server's makers
    /// can give; with it, a retry layer below repeats calls that may have been executed. A request
    /// with several values, or with an empty one, is not covered.
    pub fn server_honours(mut self, on: bool) -> Self {
        self.keys.honoured = if on {
            Honoured::Everywhere
        } else {
            Honoured::Nowhere
        };
        self
    }

    /// The same promise for the servers at these endpoints and no others: by default none. A request
    /// with a relative URI is at no endpoint. Of this and [`server_honours`](Self::server_honours) the
    /// later word stands.
    pub fn server_honours_at(mut self, endpoints: impl IntoIterator<Item = Endpoint>) -> Self {
        self.keys.honoured = Honoured::At(endpoints.into_iter().collect());
        self
    }

    /// Whether the layer does anything: by default it does. Switched off, its types stay the same.
    pub fn enabled(mut self, on: bool) -> Self {
        self.enabled = on;
        self
    }

    /// The header that carries the key, for whoever must drop it on the way to another origin.
    pub fn header_name(&self) -> &HeaderName {
        &self.keys.header
    }
}

impl<S> Layer<S> for IdempotencyKeyLayer {
    type Service = IdempotencyKeyService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        let keys = self.enabled.then(|| Arc::new(self.keys.clone()));
        IdempotencyKeyService::new(inner, keys)
    }
}
