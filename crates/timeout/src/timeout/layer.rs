use std::time::Duration;

use http::HeaderName;
use tower_layer::Layer;

use super::TimeoutService;
use super::limits::Limits;
use crate::limit::Limit;

/// Bounds one attempt: from the end of the request body, or from dispatch when there is none, to the
/// response head; and the pauses within both bodies. Over a transport that does not report its dispatch,
/// it counts from the first poll that finds the attempt unanswered.
///
/// While the transport reports that the request waits for a connection, no attempt is running and
/// only the deadline counts. An attempt never outlives the call's deadline; one that it cuts says
/// [`Phase::Total`](crate::Phase::Total). What is left goes to the server, fresh with each attempt, in
/// the `grpc-timeout` of a gRPC request and in a header of your choice.
#[derive(Clone, Debug)]
pub struct TimeoutLayer {
    pub(super) limits: Limits,
    pub(super) header: Option<HeaderName>,
    pub(super) enabled: bool,
}

impl TimeoutLayer {
    /// The attempt limit of the default layer: 10 s.
    pub const DEFAULT_LIMIT: Duration = Duration::from_secs(10);

    /// The longest pause within a response body, unless set otherwise: 30 s.
    pub const DEFAULT_BODY_IDLE: Duration = Duration::from_secs(30);

    /// The longest pause within a request body, unless set otherwise: 30 s.
    pub const DEFAULT_WRITE_IDLE: Duration = Duration::from_secs(30);

    /// The shortest attempt worth starting, unless set otherwise: 10 ms.
    pub const DEFAULT_SHORTEST: Duration = Duration::from_millis(10);

    /// Gives an attempt `limit`. [`Duration::ZERO`] takes only an answer that is there at the first
    /// poll; [`Duration::MAX`] is no limit.
    pub const fn new(limit: Duration) -> Self {
        Self {
            limits: Limits {
                attempt: Limit::new(limit),
                body_idle: Limit::new(Self::DEFAULT_BODY_IDLE),
                write_idle: Limit::new(Self::DEFAULT_WRITE_IDLE),
                shortest: Limit::new(Self::DEFAULT_SHORTEST),
            },
            header: None,
            enabled: true,
        }
    }

    /// Fails a response body that stays pending for longer than `pause`. Time in which nobody reads
    /// it does not count. Default: 30 s; [`Duration::ZERO`] fails a body at its first pause.
    #[must_use]
    pub const fn body_idle(mut self, pause: Duration) -> Self {
        self.limits.body_idle = Limit::new(pause);
        self
    }

    /// Lets a response body pause for as long as it likes.
    #[must_use]
    pub const fn without_body_idle(self) -> Self {
        self.body_idle(Duration::MAX)
    }

    /// Fails an attempt whose transport does not come for the next frame of the request body for
    /// longer than `pause`. Time in which the caller's body has none ready does not count. Default:
    /// 30 s; [`Duration::ZERO`] takes only a body that the transport takes whole at once.
    #[must_use]
    pub const fn write_idle(mut self, pause: Duration) -> Self {
        self.limits.write_idle = Limit::new(pause);
        self
    }

    /// Lets the transport pause within the request body for as long as it likes.
    #[must_use]
    pub const fn without_write_idle(self) -> Self {
        self.write_idle(Duration::MAX)
    }

    /// Starts no attempt when less than this is left of the deadline: the call ends at once, unsent.
    /// Default: 10 ms; [`Duration::ZERO`] starts one as long as anything is left.
    #[must_use]
    pub const fn shortest(mut self, shortest: Duration) -> Self {
        self.limits.shortest = Limit::new(shortest);
        self
    }

    /// Writes what is left for the attempt into this request header, in milliseconds, rounded down and
    /// at least 1; an earlier value there counts as the caller's deadline. Default: none. gRPC's own
    /// header is always written.
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

impl Default for TimeoutLayer {
    fn default() -> Self {
        Self::new(Self::DEFAULT_LIMIT)
    }
}

impl<S> Layer<S> for TimeoutLayer {
    type Service = TimeoutService<S>;

    fn layer(&self, inner: S) -> TimeoutService<S> {
        TimeoutService::new(inner, self.clone())
    }
}
