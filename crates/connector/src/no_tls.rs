use std::error::Error;

use http::Uri;
use outrigger_core::{Blame, BoxError, Failure, Fault, Outcome};

use crate::{HttpVersion, Transport};

/// Stands where TLS would: the crate was built without it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tls {}

impl Tls {
    /// Refuses.
    pub(crate) async fn wrap<T>(
        &self,
        _: T,
        _: Uri,
        _: HttpVersion,
    ) -> Result<Transport, BoxError> {
        let fault = Fault::new(Outcome::Unsent)
            .blame(Blame::Caller)
            .without_retry();
        Err(Failure::new("https needs the feature `aws-lc-rs` or `ring`", fault).into())
    }
}

/// Whether a TLS handshake was refused by one of its sides.
pub(crate) fn refused(_: &(dyn Error + 'static)) -> bool {
    false
}
