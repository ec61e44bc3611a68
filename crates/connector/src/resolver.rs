use std::fmt;
use std::future::poll_fn;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;

use hyper_util::client::legacy::connect::dns::{GaiResolver, Name};
use outrigger_core::{BoxError, Failure, Fault, Outcome};
use tower_service::Service;

/// How many addresses of one host are dialled; a resolver may name more, and may never end.
const ADDRESSES: usize = 32;

/// Where hosts get their addresses from.
#[derive(Clone, Default)]
pub(crate) enum Resolver {
    /// The system. Literal addresses are taken as they stand.
    #[default]
    System,
    /// A service of the caller's, which is asked for literal addresses too.
    Given(Arc<dyn Resolve>),
}

/// A service of names without its type.
pub(crate) trait Resolve: Send + Sync {
    fn resolve(&self, name: Name) -> Resolving;
}

type Resolving = Pin<Box<dyn Future<Output = Result<Vec<SocketAddr>, BoxError>> + Send>>;

impl<S> Resolve for S
where
    S: Service<Name> + Clone + Send + Sync + 'static,
    S::Response: Iterator<Item = SocketAddr>,
    S::Error: Into<BoxError>,
    S::Future: Send,
{
    fn resolve(&self, name: Name) -> Resolving {
        let mut service = self.clone();
        Box::pin(async move {
            poll_fn(|cx| service.poll_ready(cx))
                .await
                .map_err(Into::into)?;
            let addresses = service.call(name).await.map_err(Into::into)?;
            Ok(addresses.take(ADDRESSES).collect())
        })
    }
}

impl Resolver {
    pub(crate) fn given<S>(service: S) -> Self
    where
        S: Service<Name> + Clone + Send + Sync + 'static,
        S::Response: Iterator<Item = SocketAddr>,
        S::Error: Into<BoxError>,
        S::Future: Send,
    {
        Self::Given(Arc::new(service))
    }

    /// The addresses of a host, in the order of their preference; there is at least one.
    pub(crate) async fn addresses(
        &self,
        host: &str,
        port: u16,
    ) -> Result<Vec<SocketAddr>, BoxError> {
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let resolving = match (self, host.parse::<IpAddr>()) {
            (Self::System, Ok(literal)) => return Ok(vec![(literal, port).into()]),
            (Self::System, Err(_)) => GaiResolver::new().resolve(host.parse()?),
            (Self::Given(service), _) => service.resolve(host.parse()?),
        };
        let mut addresses = resolving.await?;
        for address in &mut addresses {
            address.set_port(port);
        }
        if addresses.is_empty() {
            let fault = Fault::new(Outcome::Unsent).without_retry();
            return Err(Failure::new("the host has no address to connect to", fault).into());
        }
        Ok(addresses)
    }
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::System => "System",
            Self::Given(_) => "Given",
        })
    }
}
