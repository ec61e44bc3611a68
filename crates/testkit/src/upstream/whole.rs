use std::pin::pin;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;

use super::Upstream;
use crate::BoxError;

/// The body of a request as far as it was read.
pub(super) struct Whole {
    /// How many bytes came.
    pub(super) len: u64,
    /// The bytes, unless they were more than [`Upstream::MAX_BODY`].
    pub(super) kept: Option<Bytes>,
}

impl Whole {
    /// Reads a body to its end.
    pub(super) async fn read<B>(&mut self, body: B) -> Result<(), BoxError>
    where
        B: http_body::Body<Data = Bytes, Error: Into<BoxError>>,
    {
        let mut body = pin!(body);
        let mut kept = BytesMut::new();
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame.map_err(Into::into)?.into_data() else {
                continue;
            };
            self.len += data.len() as u64;
            if self.len > Upstream::MAX_BODY as u64 {
                kept = BytesMut::new();
            } else {
                kept.extend_from_slice(&data);
            }
        }
        self.kept = (self.len <= Upstream::MAX_BODY as u64).then(|| kept.freeze());
        Ok(())
    }
}

impl Default for Whole {
    fn default() -> Self {
        Self {
            len: 0,
            kept: Some(Bytes::new()),
        }
    }
}
