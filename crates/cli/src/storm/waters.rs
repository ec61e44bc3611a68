use std::collections::HashMap;
use std::{io, thread};

use http::Method;
use outrigger_testkit::upstream::{Arrival, Upstream};
use outrigger_testkit::{Log, Server};
use tokio::runtime::Builder;
use tokio::sync::oneshot;

use super::dice::Dice;
use super::phase::{PHASES, fair};
use super::traffic::CALL;

/// The two misbehaving upstreams, one for each client, on a thread of their own.
///
/// They end when this is dropped.
#[derive(Debug)]
pub(super) struct Waters {
    pub(super) ports: [Port; 2],
    _end: oneshot::Sender<()>,
}

/// One upstream, as its client finds it.
#[derive(Clone, Debug)]
pub(super) struct Port {
    pub(super) authority: String,
    log: Log<Arrival>,
}

impl Waters {
    /// Starts both with the same dice.
    ///
    /// # Errors
    /// When no thread, no runtime or no port can be had.
    pub(super) async fn start(seed: u64) -> io::Result<Self> {
        let (ready, started) = oneshot::channel();
        let (end, ended) = oneshot::channel();
        let serving = move || {
            let runtime = Builder::new_current_thread().enable_all().build();
            match runtime {
                Ok(runtime) => runtime.block_on(serve(seed, ready, ended)),
                Err(error) => drop(ready.send(Err(error))),
            }
        };
        thread::Builder::new().spawn(serving)?;
        let ports = started.await.map_err(io::Error::other)??;
        Ok(Self { ports, _end: end })
    }
}

async fn serve(
    seed: u64,
    ready: oneshot::Sender<io::Result<[Port; 2]>>,
    ended: oneshot::Receiver<()>,
) {
    let servers = match (bind(seed).await, bind(seed).await) {
        (Ok(one), Ok(other)) => [one, other],
        (Err(error), _) | (_, Err(error)) => return drop(ready.send(Err(error))),
    };
    let ports = servers.each_ref().map(|server| Port {
        authority: server.addr().to_string(),
        log: server.log(),
    });
    let _ = ready.send(Ok(ports));
    // Nothing is ever sent: it returns when the other end is dropped.
    let _ = ended.await;
}

async fn bind(seed: u64) -> io::Result<Server<Upstream>> {
    let upstream = Upstream::new();
    let dice = Dice::new(seed);
    for fault in PHASES.iter().flat_map(|phase| phase.faults) {
        let dice = dice.clone();
        upstream
            .any(fault.path)
            .when(move |head| dice.strike(head, fault.percent))
            .always((fault.behaviour)());
    }
    upstream.any("*").always(fair());
    Server::bind(upstream).await
}

impl Port {
    /// How often a POST was executed that had been executed before. Forgets what has arrived so far.
    pub(super) fn repeated_posts(&self) -> usize {
        let mut executed = HashMap::<_, usize>::new();
        for arrival in self.log.executed() {
            if arrival.method == Method::POST
                && let Some(call) = arrival.headers.get(CALL)
            {
                *executed.entry(call.clone()).or_default() += 1;
            }
        }
        self.log.clear();
        executed.values().map(|times| times - 1).sum()
    }
}
