//! `LoadShed` takes an unready service for a full one. These never are: nobody is shed in vain.

use std::task::Poll;

use outrigger_rate_limit::ConcurrencyLayer;
use outrigger_testkit::Body;
use tokio::task::JoinSet;
use tower::{ServiceBuilder, service_fn};

use super::*;

/// A server that takes its time.
fn server()
-> impl Service<Request<u32>, Response = Response<Body>, Error = BoxError, Future: Send> + Clone + Send
{
    service_fn(async |_: Request<u32>| {
        pause(10 * MS).await;
        Ok::<_, BoxError>(Response::new(Body::empty()))
    })
}

#[tokio::test(start_paused = true)]
async fn a_permit_that_is_free_is_not_kept_for_one_who_was_shed() {
    let service = ServiceBuilder::new()
        .load_shed()
        .layer(ConcurrencyLayer::new(number(1)))
        .layer(patient(100, 1).wait(SECOND))
        .service(server());
    let mut busy = service.clone();
    let busy = tokio::spawn(async move { busy.ready().await?.call(get()).await });
    tokio::task::yield_now().await;
    // It is asked while the only permit is taken, and kept.
    let mut asked = service.clone();
    asked.ready().await.unwrap();
    assert!(in_time(busy).await.unwrap().is_ok());
    for _ in 0..100 {
        pause(SECOND).await;
        let answer = service.clone().oneshot(get()).await;
        assert!(answer.is_ok(), "{:?}, nothing is under way", answer.err());
    }
    drop(asked);
}

#[tokio::test(start_paused = true)]
async fn a_task_that_has_used_up_its_budget_finds_the_free_permits() {
    let service = ServiceBuilder::new()
        .load_shed()
        .layer(RateLimitLayer::new(quota(1_000, 10_000)).refuse())
        .layer(ConcurrencyLayer::new(number(10_000)).refuse())
        .service(server());
    // All in one task, which never yields between them.
    let mut calls = JoinSet::new();
    let mut shed = 0;
    for _ in 0..1_000 {
        let mut service = service.clone();
        let call = service.ready().await.unwrap().call(get());
        let mut call = Box::pin(call);
        match tokio_test::task::spawn(&mut call).poll() {
            Poll::Ready(Err(_)) => shed += 1,
            _ => drop(calls.spawn(call)),
        }
    }
    assert_eq!(shed, 0);
    for answer in in_time(calls.join_all()).await {
        assert!(answer.is_ok());
    }
}
