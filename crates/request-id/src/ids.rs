use http::header::{Entry, HeaderName};
use http::{HeaderMap, HeaderValue, Request};
use outrigger_core::{RequestId, inbound};

use crate::Generator;

/// `x-request-id`.
pub const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// `x-correlation-id`.
pub const X_CORRELATION_ID: HeaderName = HeaderName::from_static("x-correlation-id");

/// Where ids stand in a request, and who makes a new one.
#[derive(Clone, Debug)]
pub(crate) struct Ids {
    pub(crate) header: HeaderName,
    pub(crate) generator: Generator,
}

impl Ids {
    /// Leaves exactly one valid id under the header, and returns it.
    ///
    /// A request with no room for one more field (there are 24,576) stays as it is and has none.
    pub(crate) fn settle<'a, B>(&self, request: &'a mut Request<B>) -> Option<&'a HeaderValue> {
        let own = request.extensions().get::<RequestId>().cloned();
        self.settle_among(request.headers_mut(), own)
    }

    fn settle_among<'a>(
        &self,
        headers: &'a mut HeaderMap,
        own: Option<RequestId>,
    ) -> Option<&'a HeaderValue> {
        let otherwise = || {
            own.or_else(inbound::request_id)
                .unwrap_or_else(|| self.generator.generate())
                .into()
        };
        let value = match headers.try_entry(&self.header).ok()? {
            Entry::Vacant(entry) => entry.try_insert(otherwise()).ok()?,
            Entry::Occupied(mut entry) => {
                let alone = entry.iter().nth(1).is_none();
                if !(alone && RequestId::accepts(entry.get())) {
                    let first = entry.iter().find(|value| RequestId::accepts(value));
                    let id = first.cloned().unwrap_or_else(otherwise);
                    entry.insert(id);
                }
                entry.into_mut()
            }
        };
        // An id is not seen again: HPACK shall neither hash it nor keep it in its table.
        value.set_sensitive(true);
        Some(value)
    }
}

impl Default for Ids {
    fn default() -> Self {
        Self {
            header: X_REQUEST_ID,
            generator: Generator::default(),
        }
    }
}
