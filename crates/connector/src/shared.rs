use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::Duration;

use http::Uri;
use http_body::Body;
use outrigger_core::{BoxError, Endpoint};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::connect::Connect;
use crate::dial::Dial;
use crate::frames::Word;
use crate::keeper::Keeper;
use crate::kernel::{Key, Lease, Opened, OriginCount, Place, Pool, Step, Watch};
use crate::link::{Link, Reuse};
use crate::permit::{Leave, Permit};
use crate::settings::Settings;
use crate::socket::Socket;
use crate::waiting::Waiting;
use crate::{ConnectorError, classify};

/// A call that was given up sooner says nothing of its connection.
const PATIENCE: Duration = Duration::from_millis(100);

/// A place on a connection, and the way onto it.
pub(crate) struct Granted<B> {
    pub(crate) permit: Permit,
    pub(crate) link: Arc<Link<B>>,
}

/// What a waiting call is woken with.
pub(crate) type Waiter<B> = oneshot::Sender<Result<Granted<B>, ConnectorError>>;

type Kernel<B> = Pool<Arc<Link<B>>, Waiter<B>>;

/// The pool as all clones of a connector share it: the kernel under its lock, and what carries out
/// what the kernel decides. Nothing is awaited, dropped or called under the lock that is not ours.
pub(crate) struct Shared<B, D> {
    me: Weak<Self>,
    pool: Mutex<Kernel<B>>,
    dialer: Mutex<D>,
    settings: Settings,
    /// Where connections live when the last word of a call is spoken outside a runtime.
    runtime: OnceLock<Handle>,
}

impl<B, D> Shared<B, D> {
    pub(crate) fn new(settings: Settings, dialer: D) -> Arc<Self> {
        Arc::new_cyclic(|me| Self {
            me: Weak::clone(me),
            pool: Mutex::new(Pool::new(settings.limits)),
            dialer: Mutex::new(dialer),
            settings,
            runtime: OnceLock::new(),
        })
    }

    pub(crate) fn settings(&self) -> Settings {
        self.settings
    }

    pub(crate) fn dialer(&self) -> D
    where
        D: Clone,
    {
        self.dialer
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(crate) fn count(&self) -> Vec<OriginCount> {
        self.lock().count().collect()
    }

    /// Whether a wait at this slot is a wait for a connect.
    pub(crate) fn is_connecting(&self, slot: usize) -> bool {
        self.lock().is_connecting(slot)
    }

    fn lock(&self) -> MutexGuard<'_, Kernel<B>> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<B, D> Shared<B, D>
where
    B: Body<Data: Send, Error: Into<BoxError>> + Send + Unpin + 'static,
    D: Dial + Clone + Send + 'static,
{
    /// Takes a place for a request to this URI, or joins those who wait for one.
    pub(crate) fn place(
        self: &Arc<Self>,
        uri: &Uri,
    ) -> Result<Result<Granted<B>, Waiting<B, D>>, ConnectorError> {
        let now = Instant::now();
        let mut pool = self.lock();
        let slot = match pool.place(uri, now).map_err(classify::request)? {
            Place::Lease(lease) => {
                drop(pool);
                return Ok(Ok(self.granted(lease, now)));
            }
            Place::Wait(slot) => slot,
        };
        let (waiter, answer) = oneshot::channel();
        let joined = pool.join(slot, waiter);
        drop(pool);
        if let Ok(runtime) = Handle::try_current() {
            let _ = self.runtime.set(runtime);
        }
        self.work(now);
        match joined {
            Ok(ticket) => Ok(Err(Waiting::new(Arc::clone(self), slot, ticket, answer))),
            Err(_) => Err(classify::queue_full().at(Endpoint::of(uri).ok())),
        }
    }

    /// A waiter has lost interest.
    pub(crate) fn leave(&self, slot: usize, ticket: u64) {
        let waiter = self.lock().leave(slot, ticket);
        drop(waiter);
        self.work(Instant::now());
    }

    /// A connect has succeeded.
    pub(crate) fn connected(&self, key: Key, link: Link<B>) {
        let now = Instant::now();
        let opened = Opened {
            kind: link.kind(),
            handle: Arc::new(link),
            expires: now.checked_add(jittered(self.settings.max_age)),
        };
        self.lock().connected(key, opened, now);
        self.work(now);
    }

    /// Looks at a connection whose socket is open.
    pub(crate) fn watch(&self, key: Key) -> Watch {
        let now = Instant::now();
        let watch = self.lock().watch(key, now);
        self.work(now);
        watch
    }

    /// The peer has had its time to send SETTINGS; where it has not, what waits for it fails.
    pub(crate) fn overdue(&self, key: Key, error: ConnectorError) {
        let now = Instant::now();
        let failed = self.lock().overdue(key, now);
        fail(failed, &error);
        self.work(now);
    }

    /// Does what the kernel says until it has nothing more to say.
    fn work(&self, now: Instant) {
        loop {
            let step = self.lock().next(now);
            match step {
                None => return,
                Some(Step::Discard(link)) => drop(link),
                Some(Step::Connect(key, endpoint)) => self.connect(key, endpoint),
                Some(Step::Grant(waiter, lease)) => {
                    // A waiter that has gone in between drops its permit, and so gives it back.
                    if let Some(me) = self.me.upgrade() {
                        let _ = waiter.send(Ok(me.granted(lease, now)));
                    }
                }
            }
        }
    }

    fn connect(&self, key: Key, endpoint: Endpoint) {
        let keeper: Weak<dyn Keeper> = Weak::<Self>::clone(&self.me);
        let (socket, remote) = Socket::new(keeper, key);
        let connect = Connect {
            shared: Weak::clone(&self.me),
            dialer: self.dialer(),
            settings: self.settings,
            endpoint,
            socket,
            remote,
        };
        // Without a runtime the connect is dropped, and so has failed.
        if let Some(runtime) = Handle::try_current().ok().or(self.runtime.get().cloned()) {
            runtime.spawn(connect.run());
        }
    }

    fn granted(self: &Arc<Self>, lease: Lease<Arc<Link<B>>>, now: Instant) -> Granted<B> {
        let keeper: Arc<dyn Keeper> = Arc::<Self>::clone(self);
        Granted {
            permit: Permit::new(keeper, lease.key, now),
            link: lease.handle,
        }
    }

    /// What the way in which a call has left its place says of the connection.
    fn draw_conclusions(&self, pool: &mut Kernel<B>, key: Key, leave: Leave, now: Instant) {
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
            Word::GoAway(_) => self.lock().retire(key, now),
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
        self.draw_conclusions(&mut pool, key, leave, now);
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
        let failed = self.lock().closed(key);
        if !failed.is_empty() {
            let reason = reason.unwrap_or_else(classify::closed_unused);
            fail(failed, &reason);
        }
        self.work(Instant::now());
    }
}

/// A fifth more or less, by a die of this thread.
fn jittered(age: Duration) -> Duration {
    let fifth = age / 5;
    let share = fifth.saturating_mul(2) / 1000 * fastrand::u32(0..=1000);
    age.saturating_sub(fifth).saturating_add(share)
}

fn fail<B>(waiters: BTreeMap<u64, Waiter<B>>, error: &ConnectorError) {
    for waiter in waiters.into_values() {
        let _ = waiter.send(Err(error.clone()));
    }
}
