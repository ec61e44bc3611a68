//! What retries do to a server in trouble, on simulated time.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::{Method, Request, Response};
use outrigger_core::Outcome;
use outrigger_retry::{Budgets, ReplayBody, RetryLayer};
use outrigger_testkit::{Body, BoxError, Reply, mock, mock::Mock};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use tower::{Layer, Service, ServiceBuilder, ServiceExt, service_fn};

use crate::support::{failing, millis, request};

/// How many attempts 10,000 calls make, 100 at a time, when none can succeed.
async fn attempts_in_an_outage(layer: RetryLayer, outage: mock::Outcome) -> usize {
    let mock = Mock::new();
    mock.any("/").always(outage);
    let service = layer.layer(mock.clone());
    let mut clients = JoinSet::new();
    for _ in 0..100 {
        let service = service.clone();
        clients.spawn(async move {
            for _ in 0..100 {
                let _ = service.clone().oneshot(request(Method::GET)).await;
            }
        });
    }
    clients.join_all().await;
    mock.log().entries().len()
}

#[tokio::test(start_paused = true)]
async fn in_a_total_outage_a_call_makes_at_most_1_1_attempts() {
    for outage in [failing(Outcome::Ambiguous), Reply::status(503).into()] {
        let ours = attempts_in_an_outage(RetryLayer::new(), outage.clone()).await;
        assert!(ours <= 11_000, "{ours}");
        let unpaid = RetryLayer::new().budget(Budgets::unlimited());
        assert_eq!(attempts_in_an_outage(unpaid, outage).await, 30_000);
    }
}

/// A server with one worker, for twice the load that is offered: it takes 10 ms for each request, first
/// come first served, those that nobody waits for any more included. From its 5th to its 10th second it
/// does nothing.
fn server()
-> impl Service<Request<ReplayBody<Body>>, Response = Response<Body>, Error = BoxError, Future: Send>
+ Clone {
    let start = Instant::now();
    let (queue, mut requests) = mpsc::unbounded_channel::<oneshot::Sender<()>>();
    tokio::spawn(async move {
        while let Some(answer) = requests.recv().await {
            let (now, pause) = (
                Instant::now(),
                start + millis(5_000)..start + millis(10_000),
            );
            let begun = if pause.contains(&now) { pause.end } else { now };
            sleep_until(begun + millis(10)).await;
            let _ = answer.send(());
        }
    });
    service_fn(move |_| {
        let (answer, answered) = oneshot::channel();
        let queued = queue.send(answer);
        async move {
            queued?;
            answered.await?;
            Ok(Response::new(Body::empty()))
        }
    })
}

/// Offers 50 calls a second for 50 s, each attempt with a second to live; of each second's calls, how
/// many are answered.
async fn goodput(layer: RetryLayer) -> Vec<usize> {
    let service = ServiceBuilder::new()
        .layer(layer)
        .timeout(millis(1_000))
        .service(server());
    let answered: Arc<Vec<AtomicUsize>> = Arc::new((0..50).map(|_| AtomicUsize::new(0)).collect());
    let (start, mut calls) = (Instant::now(), JoinSet::new());
    for call in 0..50 * 50 {
        sleep_until(start + call * millis(20)).await;
        let (service, answered) = (service.clone(), Arc::clone(&answered));
        calls.spawn(async move {
            let result = service.oneshot(request(Method::GET)).await;
            let second = &answered[usize::try_from(call / 50).unwrap()];
            second.fetch_add(usize::from(result.is_ok()), Ordering::Relaxed);
        });
    }
    calls.join_all().await;
    answered
        .iter()
        .map(|second| second.load(Ordering::Relaxed))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn an_overload_that_unpaid_retries_make_permanent_ends_by_itself() {
    let unpaid = goodput(RetryLayer::new().budget(Budgets::unlimited())).await;
    assert_eq!(unpaid[..4], [50; 4], "healthy");
    assert_eq!(
        unpaid[45..].iter().sum::<usize>(),
        0,
        "40 s later: {unpaid:?}"
    );

    let ours = goodput(RetryLayer::new()).await;
    assert_eq!(ours[..4], [50; 4], "healthy");
    assert_eq!(
        ours[20..],
        [50; 30],
        "from 10 s after the pause on: {ours:?}"
    );
}
