use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use http::Uri;
use http_body::Body;
use outrigger_core::{BoxError, Endpoint, call};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until};

use crate::connect::Connect;
use crate::dial::Dial;
use crate::keeper::Keeper;
use crate::kernel::{Key, Lease, Opened, OriginCount, Place, Pool, Step, Watch};
use crate::link::Link;
use crate::permit::Permit;
use crate::settings::Settings;
use crate::socket::Socket;
use crate::waiting::Waiting;
use crate::{ConnectorError, classify};

/// A place on a connection, and the way onto it.
pub(crate) struct Granted<B> {
    pub(crate) permit: Permit,
    pub(crate) link: Arc<Link<B>>,
}

/// What a waiting call is woken with.
pub(crate) type Waiter<B> = oneshot::Sender<Result<Granted<B>, ConnectorError>>;

pub(crate) type Kernel<B> = Pool<Arc<Link<B>>, Waiter<B>>;

/// The pool as all clones of a connector share it: the kernel under its lock, and what carries out
/// what the kernel decides. Nothing is awaited, dropped or called under the lock that is not ours.
pub(crate) struct Shared<B, D> {
    pub(crate) me: Weak<Self>,
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

    fn runtime(&self) -> Option<Handle> {
        Handle::try_current().ok().or(self.runtime.get().cloned())
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Kernel<B>> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<B, D> Shared<B, D>
where
    B: Body<Data: Send, Error: Into<BoxError>> + Send + Unpin + 'static,
    D: Dial + Clone + Send + 'static,
{
    /// Takes a place for a request to this URI, or joins those who wait for one. A later attempt of a
    /// call does not go where one was given up without a sign of an answer: that connection takes no
    /// new calls.
    pub(crate) fn place(
        self: &Arc<Self>,
        uri: &Uri,
    ) -> Result<Result<Granted<B>, Waiting<B, D>>, ConnectorError> {
        let now = Instant::now();
        let again = call::current().is_some_and(|call| call.attempt() > 1);
        let mut left = false;
        let mut pool = self.lock();
        let slot = loop {
            match pool.place(uri, now).map_err(classify::request)? {
                Place::Lease(Lease { key, handle })
                    if again && pool.is_silent(key, handle.answers()) =>
                {
                    pool.retire(key, now);
                    pool.release(key, now);
                    left = true;
                }
                Place::Lease(lease) => {
                    drop(pool);
                    if left {
                        self.work(now);
                    }
                    return Ok(Ok(self.granted(lease, now)));
                }
                Place::Wait(slot) => break slot,
            }
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
            expires: now.checked_add(self.settings.age()),
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
    pub(crate) fn work(&self, now: Instant) {
        loop {
            let step = self.lock().next(now);
            match step {
                None => return,
                Some(Step::Discard(link)) => drop(link),
                Some(Step::Connect(key, endpoint)) => self.connect(key, endpoint),
                Some(Step::Alarm(slot, at)) => self.wake_at(slot, at),
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
        if let Some(runtime) = self.runtime() {
            runtime.spawn(connect.run());
        }
    }

    fn wake_at(&self, slot: usize, at: Instant) {
        let me = Weak::clone(&self.me);
        let wake = async move {
            sleep_until(at).await;
            if let Some(me) = me.upgrade() {
                let now = Instant::now();
                me.lock().wake(slot, now);
                me.work(now);
            }
        };
        if let Some(runtime) = self.runtime() {
            runtime.spawn(wake);
        }
    }

    fn granted(self: &Arc<Self>, lease: Lease<Arc<Link<B>>>, now: Instant) -> Granted<B> {
        let keeper: Arc<dyn Keeper> = Arc::<Self>::clone(self);
        Granted {
            permit: Permit::new(keeper, lease.key, now),
            link: lease.handle,
        }
    }
}

/// Ends these waits with an error.
pub(crate) fn fail<B>(waiters: BTreeMap<u64, Waiter<B>>, error: &ConnectorError) {
    for waiter in waiters.into_values() {
        let _ = waiter.send(Err(error.clone()));
    }
}
