//! 512 concurrent calls, a server that allows 10 streams a connection and answers after 2 ms.

use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::slice;
use std::time::Duration;

use outrigger_benches::transports::{Transport, bare, hyper_util, ours, request};
use outrigger_benches::upstream::{Nature, Upstream};
use tokio::task::{JoinSet, LocalSet};
use tokio::time::Instant;

use crate::{UPSTREAM, target};

const AT_ONCE: usize = 512;
const CONNECTIONS: usize = 52;
const ROUNDS: usize = 7;
const ROUND: Duration = Duration::from_secs(1);
const NATURE: Nature = Nature {
    streams: 10,
    delay: Duration::from_millis(2),
    tls: false,
};

/// Interleaves rounds of each, and compares within each round.
pub(crate) async fn compare() -> bool {
    let mut upstream = Upstream::start(UPSTREAM, NATURE);
    let addr = upstream.addr();
    let (grown, single, rival) = (ours(CONNECTIONS), ours(1), hyper_util());
    let mut bares = Vec::new();
    for _ in 0..CONNECTIONS {
        bares.push(bare(addr).await);
    }
    let mut table = Vec::new();
    println!("{AT_ONCE} calls at once, 10 streams a connection, 2 ms: requests/s");
    println!(
        "{:>10} {:>10} {:>10} {:>10}",
        "hyper-util", "ours, 1", "SendReq×52", "ours, 52"
    );
    for round in 0..=ROUNDS {
        let row = [
            rate(addr, slice::from_ref(&rival)).await,
            rate(addr, slice::from_ref(&single)).await,
            rate(addr, &bares).await,
            rate(addr, slice::from_ref(&grown)).await,
        ];
        // The first one warms up.
        if round > 0 {
            let [a, b, c, d] = row;
            println!("{a:>10.0} {b:>10.0} {c:>10.0} {d:>10.0}");
            table.push(row);
        }
    }
    println!("connections opened: {}", upstream.connections());
    let median = |of: fn(&[f64; 4]) -> f64| median(table.iter().map(of).collect());
    let rates = [0, 1, 2, 3].map(|at| self::median(table.iter().map(|row| row[at]).collect()));
    let [a, b, c, d] = rates;
    println!("{a:>10.0} {b:>10.0} {c:>10.0} {d:>10.0}  medians");
    target(
        "ours, 52, to hyper-util",
        median(|row| row[3] / row[0]),
        12.0,
    ) & target(
        "ours, 52, to SendRequest×52",
        median(|row| row[3] / row[2]),
        0.9,
    ) & target(
        "ours, 1, to hyper-util",
        median(|row| row[1] / row[0]),
        0.95,
    )
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// Answers per second of so many callers, spread evenly over the transports.
async fn rate<T: Transport>(addr: SocketAddr, transports: &[T]) -> f64 {
    let answered = Rc::new(Cell::new(0_u32));
    let began = Instant::now();
    let end = began + ROUND;
    let mut callers = JoinSet::new();
    let local = LocalSet::new();
    for transport in transports.iter().cycle().take(AT_ONCE) {
        let (transport, answered) = (transport.clone(), Rc::clone(&answered));
        let call = async move {
            while Instant::now() < end {
                if transport.clone().send(request(addr)).await {
                    answered.set(answered.get() + 1);
                }
            }
        };
        callers.spawn_local_on(call, &local);
    }
    local
        .run_until(async { while callers.join_next().await.is_some() {} })
        .await;
    f64::from(answered.get()) / began.elapsed().as_secs_f64()
}
