//! What requests over loopback cost their client, 64 at once over one HTTP/2 connection: instructions,
//! without the system's.
//!
//! Of a GET with four headers whose answer of 64 bytes is read: 28,800 over hyper's `SendRequest`,
//! 35,000 through hyper-util's client, 33,800 through the connector, and 44,400 through all layers over
//! that, where 38,000 are wanted. Of what the layers add a quarter is `memcpy`, of large requests and
//! futures; a seventh is hyper's, for the header with the request's id.

use std::time::Duration;

use gungraun::{
    Callgrind, EventKind, LibraryBenchmarkConfig, library_benchmark, library_benchmark_group, main,
};
use hyper::client::conn::http2::SendRequest;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use outrigger_benches::stack::stack;
use outrigger_benches::transports::{Body, Layered, Transport, bare, hyper_util, ours, request};
use outrigger_benches::upstream::{Nature, Upstream};
use outrigger_connector::Connector;
use tokio::runtime::{Builder, Runtime};
use tokio::task::{JoinSet, LocalSet};

const AT_ONCE: usize = 64;
const EACH: usize = 20;

struct Case<T> {
    runtime: Runtime,
    upstream: Upstream,
    transport: T,
}

impl<T: Transport> Case<T> {
    /// A transport that has answered before.
    fn warm(make: impl AsyncFnOnce(&Upstream) -> T) -> Self {
        let upstream = Upstream::start(
            env!("CARGO_BIN_EXE_upstream"),
            Nature {
                streams: 100,
                delay: Duration::ZERO,
                tls: false,
            },
        );
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.expect("a runtime");
        let transport = runtime.block_on(make(&upstream));
        let case = Self {
            runtime,
            upstream,
            transport,
        };
        case.run(2);
        case
    }

    fn run(&self, each: usize) {
        let local = LocalSet::new();
        let mut callers = JoinSet::new();
        let request = request(self.upstream.addr());
        for _ in 0..AT_ONCE {
            let (transport, request) = (self.transport.clone(), request.clone());
            let call = async move {
                for _ in 0..each {
                    assert!(transport.clone().send(request.clone()).await);
                }
            };
            callers.spawn_local_on(call, &local);
        }
        let all = local.run_until(async { while callers.join_next().await.is_some() {} });
        self.runtime.block_on(all);
    }
}

/// Each transport after a few requests.
mod warm {
    use super::*;

    pub fn send_request() -> Case<SendRequest<Body>> {
        Case::warm(async |upstream| bare(upstream.addr()).await)
    }

    pub fn hyper_util_client() -> Case<Client<HttpConnector, Body>> {
        Case::warm(async |_| hyper_util())
    }

    pub fn connector() -> Case<Connector<Body>> {
        Case::warm(async |_| ours(1))
    }

    pub fn layers() -> Case<Layered> {
        Case::warm(async |_| stack(ours(1)))
    }
}

macro_rules! measure {
    ($name:ident, $transport:ty, $config:expr) => {
        #[library_benchmark(setup = warm::$name, config = $config)]
        #[bench::requests()]
        fn $name(case: Case<$transport>) -> Case<$transport> {
            case.run(EACH);
            case
        }
    };
}

/// So many instructions a request, and no more. The server runs as it is.
fn at_most(instructions: u64) -> LibraryBenchmarkConfig {
    let mut callgrind = Callgrind::with_args(["--trace-children=no"]);
    let requests = (AT_ONCE * EACH) as u64;
    callgrind.hard_limits([(EventKind::Ir, requests * instructions)]);
    let mut config = LibraryBenchmarkConfig::default();
    config.tool(callgrind);
    config
}

measure!(send_request, SendRequest<Body>, at_most(40_000));
measure!(hyper_util_client, Client<HttpConnector, Body>, at_most(50_000));
measure!(connector, Connector<Body>, at_most(36_000));
measure!(layers, Layered, at_most(46_000));

library_benchmark_group!(
    name = over_loopback,
    benchmarks = [send_request, hyper_util_client, connector, layers]
);
main!(library_benchmark_groups = over_loopback);
