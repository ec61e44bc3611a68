use std::time::Duration;

use bytes::Bytes;
use fastrand::Rng;
use http::{Method, Request};

use super::phase::Phase;

/// The header that names a call, so that the upstream's log tells its attempts from other calls.
pub(super) const CALL: &str = "x-storm-call";

/// How many calls begin in a second.
pub(super) const PER_SECOND: u32 = 100;

/// From one rush to the next, where the calls of each half second begin together.
const RUSH: Duration = Duration::from_millis(500);

/// How many of a hundred calls are POSTs.
const POSTS: u32 = 30;

/// One call as the dice have planned it, the same for both clients.
#[derive(Clone, Debug)]
pub(super) struct Planned {
    /// Its moment, from the beginning of its phase.
    pub(super) at: Duration,
    id: u64,
    method: Method,
    path: &'static str,
    host: Option<&'static str>,
}

/// Plans the calls of a phase that lasts so long; `first` is the id of the first one.
pub(super) fn plan(phase: &Phase, length: Duration, first: u64, dice: &mut Rng) -> Vec<Planned> {
    let between = Duration::from_secs(1) / PER_SECOND;
    let calls = length.as_millis() / between.as_millis();
    let mut planned = Vec::new();
    for n in 0..calls as u32 {
        let jitter = Duration::from_micros(dice.u64(0..between.as_micros() as u64));
        let fault = dice.choice(phase.faults);
        planned.push(Planned {
            at: match phase.rushes {
                true => RUSH * (n / (PER_SECOND / 2)) + jitter / 2,
                false => between * n + jitter,
            },
            id: first + u64::from(n),
            method: if dice.u32(0..100) < POSTS {
                Method::POST
            } else {
                Method::GET
            },
            path: fault.map_or(phase.path, |fault| fault.path),
            host: phase.host,
        });
    }
    planned
}

impl Planned {
    /// The request of this call to the upstream at `authority`.
    ///
    /// # Errors
    /// When `authority` is none.
    pub(super) fn request(&self, authority: &str) -> http::Result<Request<Bytes>> {
        let body = match self.method {
            Method::POST => "{\"amount\":1}",
            _ => "",
        };
        let (host, port) = authority.rsplit_once(':').unwrap_or((authority, "80"));
        let host = self.host.unwrap_or(host);
        Request::builder()
            .method(self.method.clone())
            .uri(format!("http://{host}:{port}{}", self.path))
            .header(CALL, self.id)
            .body(Bytes::from_static(body.as_bytes()))
    }
}
