//! 512 calls at once over a client that has no connection yet.

use std::time::Duration;

use http::uri::{Authority, Scheme};
use http::{Request, Uri};
use outrigger_benches::transports::{Body, Transport, hyper_util, ours, request};
use outrigger_benches::upstream::{Nature, Upstream};
use outrigger_connector::{Connector, HttpVersion};
use tokio::task::{JoinSet, LocalSet};

use crate::UPSTREAM;

const AT_ONCE: usize = 512;

/// Bursts over TLS and over plain TCP, where one connection takes all, and where it does not.
pub(crate) async fn compare() -> bool {
    println!("\ncold burst of {AT_ONCE}: failed / connections opened");
    let mut met = true;
    for (streams, needed) in [(1000, 1), (512, 1), (10, 52)] {
        for tls in [false, true] {
            met &= burst_of_ours(streams, needed, tls).await;
        }
    }
    for streams in [1000, 10] {
        let mut upstream = Upstream::start(UPSTREAM, nature(streams, false));
        let request = request(upstream.addr());
        let failed = burst(&hyper_util(), &request).await;
        let opened = upstream.connections();
        println!("hyper-util, h2c, {streams:>4} streams: {failed} / {opened}");
    }
    met
}

async fn burst_of_ours(streams: u32, needed: usize, tls: bool) -> bool {
    let mut upstream = Upstream::start(UPSTREAM, nature(streams, tls));
    let mut request = request(upstream.addr());
    let connector = if tls {
        let host = format!("localhost:{}", upstream.addr().port());
        let mut parts = request.uri().clone().into_parts();
        parts.scheme = Some(Scheme::HTTPS);
        parts.authority = Some(Authority::try_from(host).expect("an authority"));
        *request.uri_mut() = Uri::from_parts(parts).expect("a uri");
        let connector: Connector<Body> =
            Connector::new().root_certificate(upstream.certificate().to_vec().into());
        connector
            .http(HttpVersion::Http2)
            .max_connections_per_endpoint(needed)
    } else {
        ours(needed)
    };
    let failed = burst(&connector, &request).await;
    let opened = upstream.connections();
    let met = failed == 0 && opened <= needed;
    let (scheme, verdict) = (
        ["h2c", "tls"][usize::from(tls)],
        ["MISSED", "met"][usize::from(met)],
    );
    println!("ours,       {scheme}, {streams:>4} streams: {failed} / {opened}: {verdict}");
    met
}

fn nature(streams: u32, tls: bool) -> Nature {
    let delay = Duration::from_millis(2);
    Nature {
        streams,
        delay,
        tls,
    }
}

/// How many calls of a burst fail.
async fn burst<T: Transport>(transport: &T, request: &Request<Body>) -> usize {
    let local = LocalSet::new();
    let mut calls = JoinSet::new();
    for _ in 0..AT_ONCE {
        calls.spawn_local_on(transport.clone().send(request.clone()), &local);
    }
    local
        .run_until(async {
            let mut failed = 0;
            while let Some(answered) = calls.join_next().await {
                failed += usize::from(!answered.expect("a call"));
            }
            failed
        })
        .await
}
