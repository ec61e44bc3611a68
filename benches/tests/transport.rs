//! How often a request over loopback allocates, and how much memory calls take that wait for a place.

use std::time::Duration;

use allocation_counter::{AllocationInfo, measure};
use outrigger_benches::stack::stack;
use outrigger_benches::transports::{Body, Transport, bare, hyper_util, ours, request};
use outrigger_benches::upstream::{Nature, Upstream};
use tokio::runtime::{Builder, Runtime};
use tokio::task::{JoinSet, LocalSet};
use tokio::time::{Instant, sleep_until};

const AT_ONCE: usize = 64;
const EACH: usize = 20;

fn upstream(streams: u32, delay: Duration) -> Upstream {
    let tls = false;
    let program = env!("CARGO_BIN_EXE_upstream");
    Upstream::start(
        program,
        Nature {
            streams,
            delay,
            tls,
        },
    )
}

fn runtime() -> Runtime {
    let runtime = Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime")
}

/// Allocations of one request, among 64 at once.
fn of<T: Transport>(make: impl AsyncFnOnce(&Upstream) -> T) -> f64 {
    let (upstream, runtime) = (upstream(100, Duration::ZERO), runtime());
    let transport = runtime.block_on(make(&upstream));
    let request = request(upstream.addr());
    let run = || {
        let local = LocalSet::new();
        for _ in 0..AT_ONCE {
            let (transport, request) = (transport.clone(), request.clone());
            local.spawn_local(async move {
                for _ in 0..EACH {
                    assert!(transport.clone().send(request.clone()).await);
                }
            });
        }
        runtime.block_on(local);
    };
    run();
    let requests = (AT_ONCE * EACH) as f64;
    // Of each request the header map is copied and the callers' tasks are made: neither is the
    // transport's doing.
    let copies = measure(|| drop(vec![request.clone()])).count_total as f64 - 1.0;
    measure(run).count_total as f64 / requests - copies
}

#[test]
fn a_request_allocates_little_more_than_hyper_does_and_less_than_through_hyper_util() {
    let hyper = of(async |upstream| bare(upstream.addr()).await);
    let rival = of(async |_| hyper_util());
    let connector = of(async |_| ours(1));
    let layers = of(async |_| stack(ours(1)));
    println!(
        "hyper {hyper:.1}, hyper-util {rival:.1}, the connector {connector:.1}, with all layers {layers:.1}"
    );
    assert!(connector < rival && connector < hyper + 5.0);
    assert!(layers <= 20.0, "{layers}");
}

/// Bytes that are in use after this, more than before.
fn kept(of: impl FnOnce()) -> i64 {
    let AllocationInfo { bytes_current, .. } = measure(of);
    bytes_current
}

#[test]
fn ten_thousand_waiting_calls_take_a_few_kibibytes_each_and_leave_nothing() {
    const WAITING: usize = 10_000;
    let (upstream, runtime) = (upstream(1, Duration::from_secs(3600)), runtime());
    let connector = ours::<Body>(1).acquire_timeout(Duration::from_secs(5));
    let request = request(upstream.addr());
    let local = LocalSet::new();
    // Its one place, and its runtime's first timer.
    let (held, holds) = (connector.clone(), request.clone());
    let holder = local.spawn_local(async move { held.send(holds).await });
    let pass = |time| async move { sleep_until(Instant::now() + time).await };
    runtime.block_on(local.run_until(pass(Duration::from_millis(200))));
    assert_eq!(connector.snapshot().streams(), 1);

    let mut calls = JoinSet::new();
    let waiting = kept(|| {
        for _ in 0..WAITING {
            calls.spawn_local_on(connector.clone().send(request.clone()), &local);
        }
        runtime.block_on(local.run_until(pass(Duration::from_millis(500))));
    });
    assert_eq!(connector.snapshot().waiting(), WAITING);
    let afterwards = kept(|| {
        runtime.block_on(local.run_until(async {
            while let Some(answered) = calls.join_next().await {
                assert!(!answered.expect("a call"));
            }
        }));
        drop(calls);
    });
    assert_eq!(connector.snapshot().waiting(), 0);
    let each = waiting / WAITING as i64;
    let left = waiting + afterwards;
    println!("{each} bytes for each waiting call, {left} left");
    assert!(each <= 4 << 10, "{each}");
    assert!(left.abs() <= 1 << 20, "{left}");
    holder.abort();
}
