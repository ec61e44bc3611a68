//! The default stack over a transport with moods, its calls dropped and panicking at any point: nothing that a
//! call takes is kept, and no error says less than what the server did.

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use outrigger::breaker::{BreakerHandle, BreakerLayer, State, Trip};
use outrigger::rate_limit::{
    ConcurrencyHandle, ConcurrencyLayer, Quota, RateLimitHandle, RateLimitLayer,
};
use outrigger::retry::{Budget, Exponential};
use outrigger::timeout::{DeadlineLayer, TimeoutLayer};
use outrigger::{BoxError, ErrorKind, Failure, Fault, Layers, Outcome};
use outrigger_core::call::{self, Dispatch};
use tokio::task::{LocalSet, spawn_local};
use tokio::time::{Instant, sleep_until, timeout};
use tower::{ServiceExt, service_fn};

const TICK: Duration = Duration::from_millis(1);

/// How often each call was executed.
type Executed = Arc<Mutex<HashMap<u32, u32>>>;

/// What becomes of one attempt that has waited for its connection.
async fn attempt(
    number: u32,
    executed: Executed,
    mut moods: fastrand::Rng,
    reports: bool,
) -> Result<Response<Full<Bytes>>, BoxError> {
    let report = |dispatch| {
        if reports {
            call::update(|call| call.report(dispatch));
        }
    };
    report(Dispatch::Waiting);
    for _ in 0..moods.u32(0..3) {
        sleep_until(Instant::now() + TICK * moods.u32(0..300)).await;
        report(Dispatch::Waiting);
    }
    if moods.u32(..8) == 0 {
        return Err(Failure::new("no connection", Fault::new(Outcome::Unsent)).into());
    }
    report(Dispatch::Sent(Instant::now()));
    if moods.u32(..8) == 0 {
        return Err(Failure::new("refused", Fault::new(Outcome::Unprocessed)).into());
    }
    *executed.lock().unwrap().entry(number).or_default() += 1;
    sleep_until(Instant::now() + TICK * moods.u32(0..800)).await;
    let status = match moods.u32(..10) {
        0 => return Err("reset".into()),
        1 => panic!("below"),
        2 => StatusCode::SERVICE_UNAVAILABLE,
        3 => StatusCode::INTERNAL_SERVER_ERROR,
        4 => StatusCode::TOO_MANY_REQUESTS,
        _ => StatusCode::OK,
    };
    Ok(Response::builder()
        .status(status)
        .body(Full::from("answer"))?)
}

async fn play(seed: u64, reports: bool) {
    let mut dice = fastrand::Rng::with_seed(seed);
    let (circuits, rates, gates) = (
        BreakerHandle::new(),
        RateLimitHandle::new(),
        ConcurrencyHandle::new(),
    );
    let [three, fifty] = [3, 50].map(|number| NonZeroU32::new(number).unwrap());
    let budget = Budget::new();
    let mut layers = Layers::default();
    layers.deadline = DeadlineLayer::new(TICK * 1_500);
    layers.retry = layers
        .retry
        .pauses(Exponential::new(TICK, TICK * 50))
        .throttled_pauses(Exponential::new(TICK, TICK * 50))
        .budget(budget.clone());
    layers.breaker = BreakerLayer::new(Trip::consecutive(3))
        .open_for(TICK * 300)
        .open_at_most(TICK * 600)
        .lease(TICK * 500)
        .slow_call(TICK * 200)
        .handle(&circuits);
    layers.rate_limit = RateLimitLayer::new(Quota::per_second(fifty).burst(three))
        .feedback(false)
        .handle(&rates);
    layers.concurrency = ConcurrencyLayer::new(three).handle(&gates);
    layers.timeout = TimeoutLayer::new(TICK * 500);

    let (executed, moods) = (Executed::default(), Arc::new(Mutex::new(dice.fork())));
    let healthy = Arc::new(Mutex::new(false));
    let (calm, log) = (Arc::clone(&healthy), Arc::clone(&executed));
    let server = service_fn(move |request: Request<_>| {
        let _: &Request<outrigger::SentBody<Full<Bytes>>> = &request;
        let number = request.headers()["n"].to_str().unwrap().parse().unwrap();
        let (executed, moods) = (Arc::clone(&log), moods.lock().unwrap().fork());
        let calm = *calm.lock().unwrap();
        async move {
            match calm {
                true => Ok(Response::new(Full::from("answer"))),
                false => attempt(number, executed, moods, reports).await,
            }
        }
    });
    let client = layers.over(server);
    let request = |number: u32, method: Method| {
        let request = Request::builder().uri("http://a.example/").method(method);
        request
            .header("n", number)
            .body(Full::<Bytes>::from("body"))
            .unwrap()
    };
    let mut calls = Vec::new();
    for number in 0..60 {
        let method = match dice.bool() {
            true => Method::GET,
            false => Method::POST,
        };
        let call = client.clone().oneshot(request(number, method.clone()));
        let patience = match dice.bool() {
            true => TICK * dice.u32(0..1_200),
            false => Duration::from_secs(100),
        };
        let reads = dice.bool();
        let began = Instant::now();
        let task = spawn_local(timeout(patience, async move {
            let answered = call.await;
            let took = began.elapsed();
            assert!(took <= TICK * 1_510, "{took:?}");
            let response = answered?;
            if reads {
                response.into_body().collect().await.unwrap();
            }
            Ok::<_, outrigger::Error>(())
        }));
        calls.push((number, method, task));
        sleep_until(Instant::now() + TICK * dice.u32(0..80)).await;
    }
    for (number, method, task) in calls {
        let ended = task.await;
        let times = executed.lock().unwrap().get(&number).copied().unwrap_or(0);
        if method == Method::POST {
            assert!(times <= 1, "{seed} {number}: executed {times} times");
        }
        match ended {
            Ok(Ok(Err(error))) => {
                let outcome = error.outcome();
                let denies = matches!(outcome, Outcome::Unsent | Outcome::Unprocessed);
                assert!(
                    !denies || times == 0 || method == Method::GET && error.attempts().len() > 1,
                    "{seed} {number} {method} {times}: {error:?}"
                );
                if error.kind() == ErrorKind::Rejected {
                    assert_eq!(times, 0, "{seed} {number}: {error:?}");
                }
            }
            Err(error) => assert!(
                error.into_panic().downcast_ref::<&str>() == Some(&"below"),
                "{seed} {number}"
            ),
            _ => {}
        }
    }
    *healthy.lock().unwrap() = true;
    let gate = gates.snapshots()[0];
    assert_eq!((gate.available, gate.waiting), (3, 0), "{seed}");
    assert_eq!(rates.snapshots()[0].waiting, 0, "{seed}");
    // At the latest when what was open may be probed, all is well again.
    sleep_until(Instant::now() + TICK * 1_000).await;
    for _ in 0..3 {
        let answer = client.clone().oneshot(request(1_000, Method::GET)).await;
        answer.unwrap().into_body().collect().await.unwrap();
    }
    let state = circuits.snapshots()[0].state();
    assert!(
        matches!(state, State::Closed | State::Ramping),
        "{seed} {state}"
    );
    sleep_until(Instant::now() + TICK * 100).await;
    assert_eq!(rates.snapshots()[0].available, 3, "{seed}");
}

#[test]
fn whatever_becomes_of_calls_nothing_is_kept_and_no_error_denies_what_was_done() {
    for seed in 0..100 {
        for reports in [false, true] {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_time()
                .start_paused(true)
                .build();
            runtime
                .unwrap()
                .block_on(LocalSet::new().run_until(play(seed, reports)));
        }
    }
}
