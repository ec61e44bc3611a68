use std::sync::{Arc, Mutex, PoisonError};

use outrigger_core::BoxError;

use crate::permit::Permit;

/// A request in flight: its place on a connection, shared with the request's body while that is
/// being sent. The place is free when both have ended.
pub(crate) enum Exchange {
    /// There is no request body to wait for.
    Alone(Permit),
    WithBody(Arc<Upload>),
}

/// What a request and its body share.
pub(crate) struct Upload {
    permit: Permit,
    failure: Mutex<Option<BoxError>>,
}

impl Upload {
    pub(crate) fn new(permit: Permit) -> Self {
        Self {
            permit,
            failure: Mutex::new(None),
        }
    }

    /// The caller's body has failed: hyper would only say that a stream was reset.
    pub(crate) fn fail(&self, error: BoxError) {
        *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
    }
}

impl Exchange {
    pub(crate) fn permit(&self) -> &Permit {
        match self {
            Self::Alone(permit) => permit,
            Self::WithBody(upload) => &upload.permit,
        }
    }

    /// The exchange has failed. Returns the error of the caller's own body, if that is why.
    pub(crate) fn failed(self) -> Option<BoxError> {
        self.permit().failed();
        match self {
            Self::Alone(_) => None,
            Self::WithBody(upload) => upload
                .failure
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take(),
        }
    }

    /// The answer was read to its end.
    pub(crate) fn complete(self) {
        self.permit().complete();
    }
}
