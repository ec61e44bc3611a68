//! What connections, and the calls on them, tell the pool.

use std::sync::Arc;
use std::time::Duration;

use http_body::Body;
use outrigger_core::BoxError;
use tokio::runtime::Handle;
use tokio::time::Instant;

use crate::dial::Dial;
use crate::frames::Word;
use crate::keeper::Keeper;
use crate::kernel::Key;
use crate::link::{Link, Reuse};
use crate::permit::Leave;
use crate::shared::{Kernel, Shared, fail};
use crate::{ConnectorError, classify};

/// The error code of a server that wants less (RFC 9113 §7).
const ENHANCE_YOUR_CALM: u32 = 0xb;

/// A call that was given up sooner says nothing of its connection.
const PATIENCE: Duration = Duration::from_millis(100);

impl<B, D> Keeper for Shared<B, D>
where
    B: Body<Data: Send, Error: Into<BoxError>> + Send + Unpin + 'static,
    D: Dial + Clone + Send + 'static,
{
    fn heard(&self, key: Key, word: Word) {
        let now = Instant::now();
        match word {
            Word::Settings(Some(limit)) => self.lock().settled(key, limit),
            Word::Settings(None) => self.lock().settled_silently(key),
            Word::GoAway { code, .. } if code == ENHANCE_YOUR_CALM => self.lock().calm(key, now),
            Word::GoAway { last, .. } => {
                // A client's streams have odd numbers, from 1 on (RFC 9113 §5.1.1).
                let taken = last / 2 + last % 2;
                let failed = self.lock().leave_taken(key, taken, now);
                fail(failed, &classify::closed_unused());
            }
            Word::Answer => return,
        }
        self.work(now);
    }

    fn retire(&self, key: Key) {
        let now = Instant::now();
        self.lock().retire(key, now);
        self.work(now);
    }

    fn released(&self, key: Key, leave: Leave) {
        let now = Instant::now();
        let mut pool = self.lock();
        draw_conclusions(&mut pool, key, leave, now);
        match pool.handle(key).map(|link| link.reuse(leave)) {
            None | Some(Reuse::Now) => {}
            Some(Reuse::Never) => pool.retire(key, now),
            Some(Reuse::Soon(link)) => {
                drop(pool);
                if let (Some(me), Ok(runtime)) = (self.me.upgrade(), Handle::try_current()) {
                    runtime.spawn(me.release_when_ready(key, link));
                    return;
                }
                drop(link);
                pool = self.lock();
                pool.retire(key, now);
            }
        }
        pool.release(key, now);
        let work = pool.has_work();
        drop(pool);
        if work {
            self.work(now);
        }
    }

    fn closed(&self, key: Key, reason: Option<ConnectorError>) {
        let now = Instant::now();
        let failed = self.lock().closed(key, now);
        if !failed.is_empty() {
            let reason = reason.unwrap_or_else(classify::closed_unused);
            fail(failed, &reason);
        }
        self.work(now);
    }
}

impl<B, D> Shared<B, D>
where
    B: Body<Data: Send, Error: Into<BoxError>> + Send + Unpin + 'static,
    D: Dial + Clone + Send + 'static,
{
    /// Gives a place on an HTTP/1 connection back once hyper has noticed the end of the exchange.
    async fn release_when_ready(self: Arc<Self>, key: Key, link: Arc<Link<B>>) {
        let ready = link.ready().await;
        drop(link);
        let now = Instant::now();
        if !ready {
            self.lock().retire(key, now);
        }
        self.lock().release(key, now);
        self.work(now);
    }
}

/// What the way in which a call has left its place says of the connection.
fn draw_conclusions<B>(pool: &mut Kernel<B>, key: Key, leave: Leave, now: Instant)
where
    B: Body<Data: Send, Error: Into<BoxError>> + Send + Unpin + 'static,
{
    match leave {
        Leave::Unanswered { since, answers } => {
            let heard = pool.handle(key).map(|link| link.answers());
            let patient = now.saturating_duration_since(since) >= PATIENCE;
            if heard == Some(answers) && patient {
                pool.unanswered(key, answers, now);
            }
            pool.cancelled(key, now);
        }
        Leave::Cut => pool.cancelled(key, now),
        Leave::Unused | Leave::Failed | Leave::Complete => {}
    }
}
