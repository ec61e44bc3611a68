use http::header::HeaderName;
use tower_layer::Layer;

use super::service::InboundService;
use crate::Generator;
use crate::ids::Ids;

/// Hands an inbound request's id and deadline on to every outbound call of its handler.
///
/// For axum, tonic and any other server that is a tower service. The request's header and its
/// [`RequestId`](crate::RequestId) extension agree when the handler sees them: an id that came in is
/// kept when it is valid, else replaced, and a missing one is made. The deadline is the client's
/// `grpc-timeout` or the [`deadline_header`](Self::deadline_header); the layer does not enforce it
/// on the handler.
///
/// The scope reaches what the handler polls itself, `join!` and `select!` included. It does not
/// reach a spawned task without [`in_current_scope`](crate::in_current_scope), nor a response body
/// that is polled after the handler has returned.
#[derive(Clone, Debug)]
pub struct InboundLayer {
    ids: Ids,
    deadline_header: Option<HeaderName>,
    echo: bool,
    enabled: bool,
}

impl InboundLayer {
    /// Reads ids from `x-request-id` and deadlines from `grpc-timeout`.
    pub fn new() -> Self {
        Self {
            ids: Ids::default(),
            deadline_header: None,
            echo: false,
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

    /// A header in which clients over plain HTTP state their patience, in milliseconds from now: by
    /// default none. Anything but decimal digits in it is ignored.
    pub fn deadline_header(mut self, name: HeaderName) -> Self {
        self.deadline_header = Some(name);
        self
    }

    /// Whether the response carries the id in the same header, unless the handler has set that
    /// itself: by default not.
    pub fn echo(mut self, on: bool) -> Self {
        self.echo = on;
        self
    }

    /// Whether the layer does anything: by default it does. Switched off, its types stay the same.
    pub fn enabled(mut self, on: bool) -> Self {
        self.enabled = on;
        self
    }
}

impl Default for InboundLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl<S> Layer<S> for InboundLayer {
    type Service = InboundService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        let ids = self.enabled.then(|| self.ids.clone());
        InboundService::new(inner, ids, self.deadline_header.clone(), self.echo)
    }
}
