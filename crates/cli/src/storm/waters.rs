use std::collections::HashMap;
use std::{io, thread};

use http::Method;
use outrigger_testkit::upstream::{Arrival, Behaviour, Upstream};
use outrigger_testkit::{Log, Reply, Server};
use tokio::runtime::Builder;
use tokio::sync::oneshot;

use super::dice::Dice;
use super::ledger::Ledger;
use super::phase::{PHASES, Strikes, WORK, WORKER, fair};
use super::quota::Quota;
use super::relay::Relay;
use super::traffic::CALL;
use super::worker::Worker;

/// How many streams of a connection they take on at a time: more than any phase needs, so that
/// requests queue where the table tells.
const STREAMS: u32 = 2_000;

/// How the upstreams behave in every weather.
pub(super) const SETTINGS: &str = "\
one for each client, in the same weather; answers in 5 ms; what it has executed under an
idempotency key it answers again without executing it";

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
    pub(super) relay: Relay,
    pub(super) worker: Worker,
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
    let upstreams = match (bind(seed).await, bind(seed).await) {
        (Ok(one), Ok(other)) => [one, other],
        (Err(error), _) | (_, Err(error)) => return drop(ready.send(Err(error))),
    };
    let ports = upstreams.each_ref().map(|(_, port)| port.clone());
    let _ = ready.send(Ok(ports));
    // Nothing is ever sent: it returns when the other end is dropped.
    let _ = ended.await;
}

/// An upstream in the weather of all phases, behind its relay.
async fn bind(seed: u64) -> io::Result<(Server<Upstream>, Port)> {
    let upstream = Upstream::new().max_concurrent_streams(STREAMS);
    let (dice, ledger, worker) = (Dice::new(seed), Ledger::default(), Worker::new(WORK));
    let quota = Quota::new();
    upstream.any(WORKER).always(working(&worker, &ledger));
    let known = ledger.clone();
    upstream
        .any("*")
        .when(move |head| known.knows(head))
        .always(Behaviour::from(fair()).executed(false));
    for fault in PHASES.iter().flat_map(|phase| phase.faults) {
        let (dice, ledger, quota) = (dice.clone(), ledger.clone(), quota.clone());
        upstream
            .any(fault.path)
            .when(move |head| {
                let strikes = match fault.strikes {
                    Strikes::Percent(percent) => dice.strike(head, percent),
                    Strikes::BeyondQuota => !quota.takes(),
                };
                if strikes && fault.executes {
                    ledger.note(head);
                }
                strikes
            })
            .always((fault.behaviour)().executed(fault.executes));
    }
    upstream
        .any("*")
        .when(move |head| {
            ledger.note(head);
            true
        })
        .always(fair());
    let server = Server::bind(upstream).await?;
    let relay = Relay::start(server.addr()).await?;
    let port = Port {
        authority: relay.addr.to_string(),
        relay,
        worker,
        log: server.log(),
    };
    Ok((server, port))
}

/// Every request takes the worker's time, also one that was executed before under its key.
fn working(worker: &Worker, ledger: &Ledger) -> Behaviour {
    let (worker, ledger) = (worker.clone(), ledger.clone());
    Behaviour::with(move |request| {
        let (head, _) = request.into_parts();
        let known = ledger.knows(&head);
        ledger.note(&head);
        let answer = Reply::status(200).after(worker.take());
        Behaviour::from(answer).executed(!known)
    })
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

#[cfg(test)]
mod tests {
    use http_body_util::Full;
    use hyper_util::client::legacy::Client;
    use hyper_util::rt::TokioExecutor;

    use super::*;

    #[tokio::test]
    async fn a_key_is_executed_once_and_a_post_without_one_each_time() {
        let (server, port) = bind(1).await.unwrap();
        let client = Client::builder(TokioExecutor::new())
            .http2_only(true)
            .build_http::<Full<&'static [u8]>>();
        for (call, key) in [
            (1, None),
            (1, None),
            (2, Some("k")),
            (2, Some("k")),
            (2, Some("k")),
        ] {
            let mut request = http::Request::post(format!("http://{}/", port.authority));
            if let Some(key) = key {
                request = request.header("idempotency-key", key);
            }
            let request = request.header(CALL, call).body(Full::default()).unwrap();
            assert_eq!(client.request(request).await.unwrap().status(), 200);
        }
        assert_eq!(server.log().executed().len(), 3);
        assert_eq!(port.repeated_posts(), 1);
        assert_eq!(port.repeated_posts(), 0, "what has arrived is forgotten");
    }
}
