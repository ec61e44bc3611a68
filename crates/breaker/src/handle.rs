use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::watch;
use tokio::time::Instant;

use crate::Snapshot;
use crate::circuit::Order;
use crate::circuits::Circuits;

/// An operator's view of circuits, and hand on them.
///
/// It is given to a layer with [`BreakerLayer::handle`](crate::BreakerLayer::handle) and then sees the
/// circuits of every service that the layer makes, as long as that or a clone of it lives; clones are the
/// same handle.
///
/// A circuit is named as [`Snapshot::circuit`] has it: `https://a.example:443`, the key, or `shared`.
/// One that was never asked for is made when it is forced or reset. Of an endpoint the scheme is part of
/// the name: there is none called `a.example`. Where no [further circuit](crate::BreakerLayer::circuits)
/// is told apart, it is the one that it shares that is forced, for all that do.
///
/// ```
/// use http::{Request, Response};
/// use outrigger_breaker::{BreakerHandle, BreakerLayer, Open, State};
/// use tower::{BoxError, ServiceBuilder, ServiceExt, service_fn};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), BoxError> {
/// let handle = BreakerHandle::new();
/// let client = ServiceBuilder::new()
///     .layer(BreakerLayer::default().handle(&handle))
///     .service(service_fn(async |_: Request<String>| Ok::<_, BoxError>(Response::new(String::new()))));
///
/// assert!(handle.force_open("http://a.example:80"));
/// let request = Request::get("http://a.example/").body(String::new())?;
/// let refused = client.clone().oneshot(request).await.unwrap_err();
/// assert!(refused.is::<Open>());
/// assert_eq!(handle.snapshot("http://a.example:80").unwrap().state(), State::ForcedOpen);
/// handle.reset("http://a.example:80");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default)]
pub struct BreakerHandle {
    attached: Arc<Mutex<Vec<Weak<Circuits>>>>,
    watchers: Watchers,
}

impl BreakerHandle {
    /// A handle that sees nothing until it is given to a layer.
    pub fn new() -> Self {
        Self::default()
    }

    /// All circuits there are, in no order.
    pub fn snapshots(&self) -> Vec<Snapshot> {
        let now = Instant::now();
        let entries = self.circuits();
        let entries = entries.iter().flat_map(|circuits| circuits.entries());
        entries.map(|entry| entry.snapshot(now)).collect()
    }

    /// The circuit of this name, if there is one.
    pub fn snapshot(&self, circuit: &str) -> Option<Snapshot> {
        let found = self.circuits();
        let mut found = found.iter().filter_map(|circuits| circuits.find(circuit));
        found.next().map(|entry| entry.snapshot(Instant::now()))
    }

    /// Refuses every call to a circuit until it is [`reset`](Self::reset) or forced closed. `false` where
    /// no service lives, or none can have a circuit of this name: then nothing has changed.
    pub fn force_open(&self, circuit: &str) -> bool {
        self.order(circuit, Order::Open)
    }

    /// Lets every call to a circuit through, and counts none, until it is [`reset`](Self::reset) or
    /// forced open. `false` as of [`force_open`](Self::force_open).
    pub fn force_closed(&self, circuit: &str) -> bool {
        self.order(circuit, Order::Close)
    }

    /// Makes a circuit closed and new, whatever state it is in. `false` as of
    /// [`force_open`](Self::force_open).
    pub fn reset(&self, circuit: &str) -> bool {
        self.order(circuit, Order::Reset)
    }

    /// Watches the circuits: the value is the one whose state changed last, as it was then. A reader
    /// that is late sees the newest change and no other, and asks for [`snapshots`](Self::snapshots)
    /// if it needs them all. The end of a ramp is not a change of its own.
    ///
    /// Who borrows the value holds the circuits' changes up, and must end no call meanwhile: see
    /// [`watch::Receiver::borrow`].
    pub fn subscribe(&self) -> watch::Receiver<Option<Snapshot>> {
        self.watchers.0.subscribe()
    }

    pub(crate) fn watchers(&self) -> Watchers {
        self.watchers.clone()
    }

    /// Takes the circuits of one more service; those of services that are gone are forgotten.
    pub(crate) fn attach(&self, circuits: &Arc<Circuits>) {
        let mut attached = self.attached.lock().unwrap_or_else(PoisonError::into_inner);
        attached.retain(|circuits| circuits.strong_count() > 0);
        attached.push(Arc::downgrade(circuits));
    }

    /// Gives an order to each circuit of this name, and says whether there is one.
    fn order(&self, circuit: &str, order: Order) -> bool {
        let (now, mut obeyed) = (Instant::now(), false);
        for circuits in self.circuits() {
            if let Some(entry) = circuits.find_or_insert(circuit) {
                entry.obey(order, now);
                obeyed = true;
            }
        }
        obeyed
    }

    fn circuits(&self) -> Vec<Arc<Circuits>> {
        let attached = self.attached.lock().unwrap_or_else(PoisonError::into_inner);
        attached.iter().filter_map(Weak::upgrade).collect()
    }
}

impl fmt::Debug for BreakerHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BreakerHandle")
            .field("services", &self.circuits().len())
            .finish_non_exhaustive()
    }
}

/// Those who want to know of changes.
#[derive(Clone, Debug)]
pub(crate) struct Watchers(Arc<watch::Sender<Option<Snapshot>>>);

impl Watchers {
    /// Tells what `look` sees. Nobody else tells anything in the meantime, or the last that is told
    /// might not be the last that was seen.
    pub(crate) fn tell(&self, look: impl FnOnce() -> Snapshot) {
        self.0.send_modify(|last| *last = Some(look()));
    }
}

impl Default for Watchers {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(None)))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::thread;
    use std::time::Duration;

    use super::*;
    use crate::State;
    use crate::circuit::Counts;

    fn seen(state: State) -> Snapshot {
        Snapshot::new(Arc::from("a"), state, 0, Counts::default())
    }

    #[test]
    fn who_looks_later_is_told_of_later() {
        let watchers = Watchers::default();
        let (told, done) = mpsc::channel();
        thread::scope(|threads| {
            watchers.tell(|| {
                threads.spawn(|| {
                    watchers.tell(|| seen(State::Closed));
                    told.send(()).unwrap();
                });
                // Time enough for the other to be first, were it let.
                let _ = done.recv_timeout(Duration::from_millis(50));
                seen(State::Open)
            });
        });
        let last = watchers.0.borrow().as_ref().map(Snapshot::state);
        assert_eq!(last, Some(State::Closed));
    }
}
