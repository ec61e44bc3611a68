use std::time::Duration;

/// Overrides the layers' limits for one call, from the request's extensions.
///
/// What is not set here stays as the layer has it. [`Duration::MAX`] switches a limit off for the
/// call.
///
/// ```
/// use std::time::Duration;
/// use outrigger_timeout::Timeouts;
///
/// let report = http::Request::get("http://upstream/report")
///     .extension(Timeouts::new().total(Duration::from_secs(120)).attempt(Duration::MAX))
///     .body(())
///     .unwrap();
/// assert!(report.extensions().get::<Timeouts>().is_some());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timeouts {
    pub(crate) total: Option<Duration>,
    pub(crate) attempt: Option<Duration>,
    pub(crate) body_idle: Option<Duration>,
    pub(crate) write_idle: Option<Duration>,
}

impl Timeouts {
    /// Overrides nothing.
    pub const fn new() -> Self {
        Self {
            total: None,
            attempt: None,
            body_idle: None,
            write_idle: None,
        }
    }

    /// Overrides the patience of [`DeadlineLayer::new`](crate::DeadlineLayer::new).
    #[must_use]
    pub const fn total(mut self, total: Duration) -> Self {
        self.total = Some(total);
        self
    }

    /// Overrides the limit of [`TimeoutLayer::new`](crate::TimeoutLayer::new).
    #[must_use]
    pub const fn attempt(mut self, limit: Duration) -> Self {
        self.attempt = Some(limit);
        self
    }

    /// Overrides [`TimeoutLayer::body_idle`](crate::TimeoutLayer::body_idle).
    #[must_use]
    pub const fn body_idle(mut self, pause: Duration) -> Self {
        self.body_idle = Some(pause);
        self
    }

    /// Overrides [`TimeoutLayer::write_idle`](crate::TimeoutLayer::write_idle).
    #[must_use]
    pub const fn write_idle(mut self, pause: Duration) -> Self {
        self.write_idle = Some(pause);
        self
    }
}
