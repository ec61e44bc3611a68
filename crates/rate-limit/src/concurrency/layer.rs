use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use http::request::Parts;
use tower_layer::Layer;

use super::gate::Gate;
use super::handle::ConcurrencyHandle;
use super::service::{ConcurrencyService, Gates};
use crate::table::{Sharing, Table};

/// Lets so many calls to each endpoint be under way at a time, each until the end of its response body:
/// the others wait in the order in which they came, or are refused.
///
/// ```
/// use std::num::NonZeroU32;
/// use http::{Request, Response};
/// use http_body_util::Empty;
/// use outrigger_core::{BoxError, find};
/// use outrigger_rate_limit::{ConcurrencyLayer, Saturated};
/// use tower::{ServiceBuilder, ServiceExt, service_fn};
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), BoxError> {
/// let server = service_fn(|_: Request<()>| std::future::pending::<Result<Response<Empty<&[u8]>>, BoxError>>());
/// let one = ConcurrencyLayer::new(NonZeroU32::MIN).refuse();
/// let client = ServiceBuilder::new().layer(one).service(server);
///
/// let mut first = Box::pin(client.clone().oneshot(Request::new(())));
/// assert!(futures_poll(&mut first).is_pending());
/// let refused = client.clone().oneshot(Request::new(())).await.unwrap_err();
/// assert_eq!(find::<Saturated>(&*refused).map(Saturated::limit), Some(1));
/// # Ok(())
/// # }
/// # fn futures_poll<F: Future + Unpin>(future: &mut F) -> std::task::Poll<F::Output> {
/// #     std::pin::Pin::new(future).poll(&mut std::task::Context::from_waker(std::task::Waker::noop()))
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct ConcurrencyLayer {
    limit: Option<NonZeroU32>,
    sharing: Sharing,
    max_wait: Duration,
    queue: usize,
    endpoints: usize,
    handle: Option<ConcurrencyHandle>,
    enabled: bool,
}

impl ConcurrencyLayer {
    /// The longest wait: 1 s.
    pub const DEFAULT_WAIT: Duration = Duration::from_secs(1);
    /// The most calls that wait for the same limit: 1,024.
    pub const DEFAULT_QUEUE: usize = 1_024;
    /// The most endpoints that are told apart: 10,000. Beyond, those without a call under way make room;
    /// where none does, the rest share one limit.
    pub const DEFAULT_ENDPOINTS: usize = 10_000;

    /// So many calls at a time to each endpoint.
    pub fn new(limit: NonZeroU32) -> Self {
        Self {
            limit: Some(limit),
            ..Self::unlimited()
        }
    }

    /// Without a limit: does nothing, whatever else is set.
    pub fn unlimited() -> Self {
        Self {
            limit: None,
            sharing: Sharing::default(),
            max_wait: Self::DEFAULT_WAIT,
            queue: Self::DEFAULT_QUEUE,
            endpoints: Self::DEFAULT_ENDPOINTS,
            handle: None,
            enabled: true,
        }
    }

    /// The longest that a call waits for the end of another; then it is refused. Default:
    /// [`DEFAULT_WAIT`](Self::DEFAULT_WAIT); [`Duration::ZERO`] is [`refuse`](Self::refuse).
    #[must_use]
    pub fn wait(mut self, max_wait: Duration) -> Self {
        self.max_wait = max_wait;
        self
    }

    /// No call waits: what cannot go now is refused.
    #[must_use]
    pub fn refuse(self) -> Self {
        self.wait(Duration::ZERO)
    }

    /// The most calls that wait for the same limit; others are refused at once. Default:
    /// [`DEFAULT_QUEUE`](Self::DEFAULT_QUEUE); with 0 none waits.
    #[must_use]
    pub fn queue(mut self, calls: usize) -> Self {
        self.queue = calls;
        self
    }

    /// One limit for all calls, wherever they go. Default: one for each endpoint.
    #[must_use]
    pub fn shared(mut self) -> Self {
        self.sharing = Sharing::All;
        self
    }

    /// One limit for each key that a function reads off the request's head. Default: one for each
    /// endpoint.
    #[must_use]
    pub fn key<K: Into<Vec<u8>>>(
        mut self,
        key: impl Fn(&Parts) -> K + Send + Sync + 'static,
    ) -> Self {
        self.sharing = Sharing::by(key);
        self
    }

    /// The most endpoints, or keys, that are told apart. Default:
    /// [`DEFAULT_ENDPOINTS`](Self::DEFAULT_ENDPOINTS); 0 counts as 1.
    #[must_use]
    pub fn endpoints(mut self, endpoints: usize) -> Self {
        self.endpoints = endpoints;
        self
    }

    /// Shows the limits of the services that this layer makes in a handle: for stacks in which the
    /// service itself is out of reach.
    #[must_use]
    pub fn handle(mut self, handle: &ConcurrencyHandle) -> Self {
        self.handle = Some(handle.clone());
        self
    }

    /// Switches the layer on or off; off, it passes everything through. Default: `true`.
    #[must_use]
    pub fn enabled(mut self, enabled: bool) -> Self {
        self.enabled = enabled;
        self
    }
}

impl<S> Layer<S> for ConcurrencyLayer {
    type Service = ConcurrencyService<S>;

    fn layer(&self, inner: S) -> ConcurrencyService<S> {
        let gates = self.limit.filter(|_| self.enabled).map(|limit| {
            Arc::new(Gates {
                table: Table::new(&self.sharing, self.endpoints, || Gate::new(limit)),
                limit,
                max_wait: self.max_wait,
                room: self.queue,
            })
        });
        if let (Some(handle), Some(gates)) = (&self.handle, &gates) {
            handle.attach(gates);
        }
        ConcurrencyService::new(inner, gates)
    }
}
