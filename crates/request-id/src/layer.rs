use http::header::HeaderName;
use tower_layer::Layer;

use crate::Generator;
use crate::ids::Ids;
use crate::service::RequestIdService;

/// Gives each outbound request an id.
///
/// See the [crate's page](crate) for which id that is.
#[derive(Clone, Debug)]
pub struct RequestIdLayer {
    ids: Ids,
    response_extension: bool,
    enabled: bool,
}

impl RequestIdLayer {
    /// Puts ids into `x-request-id`, and makes new ones of version 7.
    pub fn new() -> Self {
        Self {
            ids: Ids::default(),
            response_extension: false,
            enabled: true,
        }
    }

    /// The header that carries the id: by default [`X_REQUEST_ID`](crate::X_REQUEST_ID); [`X_CORRELATION_ID`](crate::X_CORRELATION_ID) is the other
    /// common one.
    pub fn header(mut self, name: HeaderName) -> Self {
        self.ids.header = name;
        self
    }

    /// How new ids are made: by default [`Generator::V7`].
    pub fn generator(mut self, generator: Generator) -> Self {
        self.ids.generator = generator;
        self
    }

    /// Whether each response tells the id that its request carried, as a
    /// [`RequestId`](crate::RequestId) in its extensions: by default not.
    pub fn response_extension(mut self, on: bool) -> Self {
        self.response_extension = on;
        self
    }

    /// Whether the layer does anything: by default it does. Switched off, its types stay the same.
    pub fn enabled(mut self, on: bool) -> Self {
        self.enabled = on;
        self
    }
}

impl Default for RequestIdLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl<S> Layer<S> for RequestIdLayer {
    type Service = RequestIdService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        let ids = self.enabled.then(|| self.ids.clone());
        RequestIdService::new(inner, ids, self.response_extension)
    }
}
