use std::time::Duration;

use http::HeaderName;
use tower_layer::Layer;

use crate::DeadlineService;
use crate::limit::Limit;

/// Bounds a whole logical call: waiting, attempts and the pauses between them up to the response head
/// and, by option, the response body on the same clock.
///
/// A call ends at the earliest of the layer's own patience (or [`Timeouts::total`] for that call), a
/// [`Deadline`] in the request's extensions, the deadline of the inbound request being handled, and
/// the `grpc-timeout` of a gRPC request. The layers below see that instant and start nothing that
/// could not end before it.
///
/// [`Deadline`]: crate::Deadline
/// [`Timeouts::total`]: crate::Timeouts::total
#[derive(Clone, Debug)]
pub struct DeadlineLayer {
    pub(super) total: Limit,
    pub(super) body: bool,
    pub(super) header: Option<HeaderName>,
    pub(super) enabled: bool,
}

impl DeadlineLayer {
    /// The patience of the default layer: 30 s.
    pub const DEFAULT_TOTAL: Duration = Duration::from_secs(30);

    /// Gives a call `total` from its start. [`Duration::ZERO`] fails every call unsent;
    /// [`Duration::MAX`] adds no limit to what the caller asks for.
    pub const fn new(total: Duration) -> Self {
        Self {
            total: Limit::new(total),
            body: false,
            header: None,
            enabled: true,
        }
    }

    /// Keeps the clock running until the end of the response body. Default: `false`, up to the head.
    #[must_use]
    pub const fn body(mut self, body: bool) -> Self {
        self.body = body;
        self
    }

    /// Reads the caller's patience from this request header too, in milliseconds from now. What is not
    /// a whole number is ignored. Default: none. gRPC's own header is always read.
    #[must_use]
    pub fn header(mut self, name: HeaderName) -> Self {
        self.header = Some(name);
        self
    }

    /// Switches the layer on or off; off, it passes everything through. Default: `true`.
    #[must_use]
    pub const fn enabled(mut self, enabled: bool) -> Self {
        self.enabled = enabled;
        self
    }
}

impl Default for DeadlineLayer {
    fn default() -> Self {
        Self::new(Self::DEFAULT_TOTAL)
    }
}

impl<S> Layer<S> for DeadlineLayer {
    type Service = DeadlineService<S>;

    fn layer(&self, inner: S) -> DeadlineService<S> {
        DeadlineService::new(inner, self.clone())
    }
}
