use std::sync::Arc;

use http_body::Body;
use tokio::time::Instant;

use super::limits::Limits;
use crate::RequestBody;
use crate::progress::{Progress, Turn};

/// What an attempt knows of its request body while the transport has it.
#[derive(Debug)]
pub(super) struct Upload {
    progress: Arc<Progress>,
    looked: Instant,
}

impl Upload {
    /// What is to be known of a body that is given to the transport: nothing when there is none, or no
    /// clock for it.
    #[inline(always)]
    pub(super) fn of<B: Body>(body: &B, limits: &Limits) -> Option<Self> {
        (limits.watch_upload() && !body.is_end_stream()).then(Self::begin)
    }

    /// The body as the transport gets it.
    #[inline(always)]
    pub(super) fn wrap<B>(upload: &Option<Self>, body: B) -> RequestBody<B> {
        let progress = upload.as_ref().map(|upload| Arc::clone(&upload.progress));
        RequestBody::new(body, progress)
    }

    #[inline(never)]
    fn begin() -> Self {
        let now = Instant::now();
        Self {
            progress: Arc::new(Progress::new(now)),
            looked: now,
        }
    }

    /// The body was looked at now.
    pub(super) fn look(&mut self, now: Instant) {
        self.looked = now;
    }

    /// Whose turn it is, and when the body was looked at.
    pub(super) fn turn(&self) -> (Turn, Instant) {
        (self.progress.turn(), self.looked)
    }
}
