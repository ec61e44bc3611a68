use std::sync::Arc;

use http::{HeaderName, Request};
use http_body::Body;
use outrigger_core::call::{self, Call};
use tokio::time::Instant;

use super::attempt::Attempt;
use crate::progress::{Progress, Turn};
use crate::{RequestBody, patience};

/// What an attempt knows of its request body while the transport has it.
#[derive(Debug)]
pub(super) struct Upload {
    progress: Arc<Progress>,
    looked: Instant,
}

impl Upload {
    /// The last thing before the inner service is called: tells the server what is left, and says in
    /// the Call that the request goes down. `None` when there is no body, or no clock for it.
    #[inline(always)] // out of line the whole request is copied once more
    pub(super) fn launch<B: Body>(
        request: &mut Request<B>,
        attempt: &Attempt,
        header: Option<&HeaderName>,
    ) -> Option<Self> {
        let now = attempt.begun();
        patience::tell(request, header, || attempt.left(now));
        call::update(Call::launch);
        if request.body().is_end_stream() || !attempt.watches_upload() {
            return None;
        }
        Some(Self::begin(now))
    }

    #[inline(never)]
    fn begin(now: Instant) -> Self {
        Self {
            progress: Arc::new(Progress::new(now)),
            looked: now,
        }
    }

    /// The body as the transport gets it.
    #[inline]
    pub(super) fn wrap<B>(upload: &Option<Self>, body: B) -> RequestBody<B> {
        let progress = upload.as_ref().map(|upload| Arc::clone(&upload.progress));
        RequestBody::new(body, progress)
    }

    /// The body was looked at now.
    pub(super) fn look(&mut self, now: Instant) {
        self.looked = now;
    }

    /// Whose turn it is, and when the body was looked at. Without a body it was over from the start.
    pub(super) fn turn(upload: Option<&Self>, start: Instant) -> (Turn, Instant) {
        match upload {
            None => (Turn::Over(start), start),
            Some(upload) => (upload.progress.turn(), upload.looked),
        }
    }
}
