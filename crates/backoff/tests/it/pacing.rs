//! How the calls to an endpoint pace each other.

use std::collections::HashSet;

use http::header::RETRY_AFTER;
use outrigger_core::{Failure, Fault, Outcome, Rejected};
use tokio::task::LocalSet;
use tower::{Layer, ServiceBuilder};

use super::*;

fn asking(seconds: &'static str) -> Response<()> {
    let mut response = unavailable();
    response
        .headers_mut()
        .insert(RETRY_AFTER, seconds.parse().unwrap());
    response
}

#[tokio::test(start_paused = true)]
async fn everybodys_failures_pace_everybody() {
    let one = layer().layer(Script::failures(2).server());
    let other = one.clone();
    assert_eq!(took(&one, get()).await, Duration::ZERO);
    assert_eq!(took(&other, get()).await, SECOND);
    assert_eq!(took(&one, get()).await, 2 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn errors_of_the_peer_pace_as_answers_do() {
    let reset = || Err(Failure::new("reset", Fault::new(Outcome::Ambiguous)).into());
    let service = layer().layer(Script::new([reset(), reset()]).server());
    for expected in [0, 1, 2] {
        assert_eq!(took(&service, get()).await, expected * SECOND);
    }
}

#[tokio::test(start_paused = true)]
async fn a_success_ends_the_run() {
    let script = Script::failures(3);
    let service = layer().layer(script.server());
    for expected in [0, 1, 2, 4, 0] {
        assert_eq!(took(&service, get()).await, expected * SECOND);
    }
    script.then([Ok(unavailable())]);
    for expected in [0, 1] {
        assert_eq!(
            took(&service, get()).await,
            expected * SECOND,
            "begins anew"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn refusals_from_below_neither_lengthen_nor_end_the_run() {
    let refused = || Err(Rejected::new("breaker").into());
    let service = layer().layer(Script::new([Ok(unavailable()), refused(), refused()]).server());
    for expected in [0, 1, 0, 0] {
        assert_eq!(took(&service, get()).await, expected * SECOND);
    }
    let script = Script::new([Ok(unavailable()), refused()]);
    let service = layer().layer(script.server());
    assert_eq!(took(&service, get()).await, Duration::ZERO);
    assert_eq!(took(&service, get()).await, SECOND);
    script.then([Ok(unavailable())]);
    assert_eq!(took(&service, get()).await, Duration::ZERO);
    assert_eq!(took(&service, get()).await, 2 * SECOND, "the run went on");
}

#[tokio::test(start_paused = true)]
async fn endpoints_do_not_pace_each_other() {
    let service = layer().layer(Script::failures(1).server());
    took(&service, to("http://a.example/")).await;
    for other in [
        "https://a.example/",
        "http://a.example:81/",
        "http://b.example/",
    ] {
        assert_eq!(took(&service, to(other)).await, Duration::ZERO, "{other}");
    }
    assert_eq!(
        took(&service, to("http://u@A.example:80/x?y")).await,
        SECOND
    );
}

#[tokio::test(start_paused = true)]
async fn two_services_of_one_layer_share_nothing() {
    let layer = layer();
    took(&layer.layer(Script::failures(1).server()), get()).await;
    let other = layer.layer(Script::default().server());
    assert_eq!(took(&other, get()).await, Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_endpoints_forgets_none_that_fails() {
    let script = Script::failures(1);
    let service = layer().endpoints(1).layer(script.server());
    took(&service, get()).await;
    for other in ["http://b.example/", "http://c.example/"] {
        assert_eq!(took(&service, to(other)).await, Duration::ZERO);
    }
    assert_eq!(took(&service, get()).await, SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_call_is_not_sent_earlier_than_the_server_asked_nor_all_at_once() {
    let service = layer().layer(Script::new([Ok(asking("30"))]).server());
    took(&service, get()).await;
    let calls: Vec<_> = (0..100)
        .map(|_| {
            let service = service.clone();
            tokio::spawn(async move { took(&service, get()).await })
        })
        .collect();
    let mut distinct = HashSet::new();
    for call in calls {
        let took = call.await.unwrap();
        assert!(took >= 30 * SECOND && took <= 33 * SECOND + MS, "{took:?}");
        distinct.insert(took);
    }
    assert!(distinct.len() > 50, "{} distinct", distinct.len());
}

#[tokio::test(start_paused = true)]
async fn calls_that_failed_together_come_back_apart() {
    let long = Exponential::new(1_000 * SECOND, 1_000 * SECOND);
    let service = BackoffLayer::new(long).layer(Script::failures(1).server());
    took(&service, get()).await;
    let calls: Vec<_> = (0..1_000)
        .map(|_| {
            let service = service.clone();
            tokio::spawn(async move { took(&service, get()).await })
        })
        .collect();
    let mut distinct = HashSet::new();
    for call in calls {
        distinct.insert(call.await.unwrap());
    }
    assert!(distinct.len() >= 990, "{} distinct", distinct.len());
}

#[tokio::test(start_paused = true)]
async fn in_a_total_outage_the_calls_of_many_are_few() {
    let count = Arc::new(Mutex::new(0));
    let counted = Arc::clone(&count);
    let server = service_fn(move |_: Request<()>| {
        *counted.lock().unwrap() += 1;
        ready(Ok::<_, BoxError>(unavailable()))
    });
    let schedule = Exponential::new(50 * MS, 20 * SECOND);
    let service = ServiceBuilder::new()
        .layer(BackoffLayer::new(schedule))
        .service(server);
    let clients = LocalSet::new();
    for _ in 0..10 {
        let service = service.clone();
        clients.spawn_local(async move {
            let end = Instant::now() + 600 * SECOND;
            // No more than that even if nothing paced them, or the clock would stand still.
            for _ in 0..1_000 {
                took(&service, get()).await;
                if Instant::now() >= end {
                    break;
                }
            }
        });
    }
    clients.await;
    // Each client's mean pause at the cap is 10 s: 60 calls each, and some on the way up.
    let count = *count.lock().unwrap();
    assert!((300..1_500).contains(&count), "{count} calls");
}
