use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http_body::{Body, Frame, SizeHint};
use outrigger_core::BoxError;

use crate::exchange::{Exchange, Upload};
use crate::permit::Permit;

/// The caller's body on its way: it holds the call's place until it is sent, and its failure is
/// known as the caller's.
pub(crate) struct RequestBody<B> {
    body: B,
    upload: Option<Arc<Upload>>,
}

impl<B: Body> RequestBody<B> {
    pub(crate) fn new(body: B) -> Self {
        Self { body, upload: None }
    }

    /// Begins an exchange on a connection, in place of one that came to nothing.
    pub(crate) fn begin(&mut self, permit: Permit) -> Exchange {
        if self.body.is_end_stream() {
            self.upload = None;
            return Exchange::Alone(permit);
        }
        let upload = Arc::new(Upload::new(permit));
        self.upload = Some(Arc::clone(&upload));
        Exchange::WithBody(upload)
    }
}

impl<B: Body + Unpin> Body for RequestBody<B>
where
    B::Error: Into<BoxError>,
{
    type Data = B::Data;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, BoxError>>> {
        let this = &mut *self;
        Pin::new(&mut this.body).poll_frame(cx).map_err(|error| {
            if let Some(upload) = &this.upload {
                upload.fail(error.into());
            }
            "the request body failed".into()
        })
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
