use std::collections::HashMap;
use std::num::NonZeroU32;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use outrigger::connector::{Connector, HttpVersion};
use outrigger::rate_limit::{Quota, RateLimitLayer};
use outrigger::retry::{Budget, Exponential};
use outrigger::timeout::DeadlineLayer;
use outrigger::{BoxError, Layers};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tower::ServiceExt;

use crate::nginx::Nginx;
use crate::process::installed;

const CALLS: usize = 50;
const FIVE: NonZeroU32 = NonZeroU32::new(5).unwrap();

/// An nginx that answers five a second, and five at once, and the others 429.
async fn nginx() -> Nginx {
    Nginx::with(
        r#"
        limit_req_zone $binary_remote_addr zone=quota:1m rate=5r/s;
        limit_req_status 429;
        log_format attempt "$http_x_call $status $msec";
        access_log attempts.log attempt;
        add_header retry-after 1 always;
        "#,
        "limit_req zone=quota burst=5 nodelay; root .; try_files /hello =404;",
    )
    .await
}

/// Makes all calls at once, each of which must be answered 200, and gives what nginx has written of each
/// attempt: the call, the status, and the second.
async fn send(nginx: &Nginx, mut layers: Layers) -> Vec<(usize, u16, f64)> {
    layers.deadline = DeadlineLayer::new(Duration::from_secs(60));
    let client = layers.over(Connector::new().http(HttpVersion::H2c));
    let mut calls = JoinSet::new();
    for id in 0..CALLS {
        let request = Request::get(format!("http://{}/", nginx.addr))
            .header("x-call", id)
            .body(Full::<Bytes>::default())
            .unwrap();
        let client = client.clone();
        calls.spawn(async move {
            let response = client.oneshot(request).await?;
            let status = response.status();
            let body = response.into_body().collect().await?.to_bytes();
            Ok::<_, BoxError>((status.as_u16(), body))
        });
    }
    for answer in calls.join_all().await {
        assert_eq!(answer.unwrap(), (200, Bytes::from("hello")));
    }
    let written = nginx.written("attempts.log");
    let fields = written
        .lines()
        .map(|line| line.split(' ').collect::<Vec<_>>());
    fields
        .map(|of| {
            (
                of[0].parse().unwrap(),
                of[1].parse().unwrap(),
                of[2].parse().unwrap(),
            )
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn within_the_quota_of_nginx_no_call_is_ever_refused() {
    if !installed("nginx") {
        return;
    }
    let nginx = nginx().await;
    let mut layers = Layers::default();
    let quota = Quota::per_second(FIVE).burst(FIVE);
    layers.rate_limit = RateLimitLayer::new(quota).wait(Duration::from_secs(30));
    let began = Instant::now();
    let attempts = send(&nginx, layers).await;
    let took = began.elapsed();
    println!(
        "nginx, 5 a second, within the quota: {} attempts in {took:?}",
        attempts.len()
    );
    assert_eq!(attempts.len(), CALLS);
    assert!(
        attempts.iter().all(|(_, status, _)| *status == 200),
        "{attempts:?}"
    );
    let least = Duration::from_secs(9);
    assert!(
        took >= least && took < least * 2,
        "45 at five a second: {took:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn retries_of_what_nginx_refuses_come_when_it_says_and_not_before() {
    if !installed("nginx") {
        return;
    }
    let nginx = nginx().await;
    let mut layers = Layers::default();
    let pause = Exponential::new(Duration::from_millis(50), Duration::from_millis(50));
    let free = Budget::ratio(1, 0);
    layers.retry = layers
        .retry
        .attempts(40)
        .throttled_pauses(pause)
        .budget(free);
    let attempts = send(&nginx, layers).await;
    println!(
        "nginx, 5 a second, by retries alone: {} attempts",
        attempts.len()
    );
    let refused = attempts.iter().filter(|(_, status, _)| *status == 429);
    assert!(refused.count() >= CALLS - 10);
    let mut last = HashMap::new();
    for (call, status, at) in attempts {
        if let Some(refused) = last.insert(call, at) {
            let after: f64 = at - refused;
            assert!(after >= 0.999, "call {call} came again after {after} s");
        }
        assert!(status == 200 || status == 429, "{status}");
    }
}
