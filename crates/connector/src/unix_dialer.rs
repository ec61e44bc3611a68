use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use http::uri::Scheme;
use hyper_util::rt::TokioIo;
use outrigger_core::{Blame, BoxError, Failure, Fault, Outcome};
use tokio::net::UnixStream;

use crate::dial::Dial;
use crate::{Connector, HttpVersion};

/// Opens connections to a Unix socket, whatever host a request names; without TLS.
#[derive(Clone, Debug)]
pub struct UnixDialer {
    path: Arc<Path>,
}

impl UnixDialer {
    /// Dials the socket at `path`.
    pub fn new(path: impl AsRef<Path>) -> Self {
        let path = path.as_ref().into();
        Self { path }
    }
}

impl<B> Connector<B> {
    /// A connector to the server behind the Unix socket at `path`.
    ///
    /// Requests name an `http` URI all the same; its host goes to the server and chooses the connections
    /// that a request shares. An `https` URI is refused.
    pub fn unix(path: impl AsRef<Path>) -> Connector<B, UnixDialer> {
        Self::new().dialer(UnixDialer::new(path))
    }
}

impl Dial for UnixDialer {
    type Io = TokioIo<UnixStream>;

    async fn dial(
        self,
        uri: Uri,
        _: HttpVersion,
        _: Duration,
    ) -> Result<TokioIo<UnixStream>, BoxError> {
        if uri.scheme() == Some(&Scheme::HTTPS) {
            let fault = Fault::new(Outcome::Unsent);
            let fault = fault.blame(Blame::Caller).without_retry();
            return Err(Failure::new("no https over a unix socket", fault).into());
        }
        Ok(TokioIo::new(UnixStream::connect(self.path).await?))
    }
}
