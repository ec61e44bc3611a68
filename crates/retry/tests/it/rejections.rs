//! Refusals of our own layers below.

use std::time::Duration;

use http::Method;
use outrigger_core::{Deadline, Outcome, Rejected, find};
use outrigger_retry::{Budget, Exhausted};
use outrigger_testkit::{Reply, mock, mock::Mock};
use tokio::time::Instant;
use tower::{Layer, ServiceExt};

use crate::support::{Seen, failing, millis, request, steady};

/// A refusal that ends after this.
fn rejecting(ends: Option<Duration>) -> mock::Outcome {
    mock::Outcome::error(move || {
        let rejected = Rejected::new("breaker");
        match ends {
            Some(after) => rejected.with_retry_at(Instant::now() + after),
            None => rejected,
        }
    })
}

#[tokio::test(start_paused = true)]
async fn a_rejection_is_returned_at_once_and_is_no_attempt() {
    for method in [Method::GET, Method::POST] {
        let (mock, budget, seen) = (Mock::new(), Budget::new(), Seen::default());
        mock.any("/").always(rejecting(Some(millis(30_000))));
        let layer = steady().budget(budget.clone()).on_attempt(seen.by());
        let mut request = request(method);
        request
            .extensions_mut()
            .insert(Deadline::within(millis(2_000)));
        let start = Instant::now();
        let error = layer
            .layer(mock.clone())
            .oneshot(request)
            .await
            .unwrap_err();
        assert!(error.is::<Rejected>(), "unchanged");
        assert_eq!((start.elapsed(), budget.tokens()), (Duration::ZERO, 500));
        assert_eq!(mock.log().entries().len(), 1);
        assert!(seen.all().iter().all(|attempt| attempt.prevented));
    }
}

#[tokio::test(start_paused = true)]
async fn a_retry_that_is_refused_costs_nothing() {
    let (mock, budget) = (Mock::new(), Budget::new());
    mock.any("/")
        .times(1, failing(Outcome::Ambiguous))
        .always(rejecting(None));
    let service = steady().budget(budget.clone()).layer(mock);
    let error = service.oneshot(request(Method::GET)).await.unwrap_err();
    assert!(error.is::<Exhausted>());
    assert_eq!(budget.tokens(), 500);
}

#[tokio::test(start_paused = true)]
async fn by_choice_it_waits_once_until_the_rejection_ends() {
    let (mock, seen) = (Mock::new(), Seen::default());
    mock.any("/")
        .times(1, rejecting(Some(millis(3_000))))
        .always(Reply::status(200));
    let layer = steady()
        .wait_for_rejections(millis(5_000))
        .on_attempt(seen.by());
    let response = layer
        .layer(mock)
        .oneshot(request(Method::POST))
        .await
        .unwrap();
    assert_eq!(response.status(), 200);
    let [refused, made] = seen.all()[..] else {
        panic!()
    };
    assert!(refused.prevented && !made.prevented);
    assert_eq!((refused.number, made.number), (1, 1));
    assert!(
        (millis(3_000)..=millis(3_300)).contains(&made.waited),
        "{made:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn it_waits_neither_twice_nor_too_long_nor_for_an_end_unknown() {
    let cases = [
        (rejecting(Some(millis(10))), millis(60_000), 2),
        (rejecting(Some(millis(5_001))), millis(60_000), 1),
        (rejecting(Some(millis(2_000))), millis(2_009), 1),
        (rejecting(None), millis(60_000), 1),
    ];
    for (outcome, deadline, calls) in cases {
        let mock = Mock::new();
        mock.any("/").always(outcome);
        let service = steady()
            .wait_for_rejections(millis(5_000))
            .layer(mock.clone());
        let mut request = request(Method::GET);
        request.extensions_mut().insert(Deadline::within(deadline));
        let error = service.oneshot(request).await.unwrap_err();
        assert!(find::<Rejected>(&*error).is_some());
        assert_eq!(mock.log().entries().len(), calls);
    }
}

#[tokio::test(start_paused = true)]
async fn a_paid_retry_that_waited_for_a_rejection_is_paid_once() {
    let (mock, budget) = (Mock::new(), Budget::new());
    mock.any("/")
        .times(1, failing(Outcome::Ambiguous))
        .times(1, rejecting(Some(millis(10))))
        .always(failing(Outcome::Ambiguous));
    let layer = steady()
        .attempts(2)
        .wait_for_rejections(millis(100))
        .budget(budget.clone());
    let error = layer
        .layer(mock.clone())
        .oneshot(request(Method::GET))
        .await
        .unwrap_err();
    assert_eq!(error.to_string(), "failed after 2 attempts");
    assert_eq!((mock.log().entries().len(), budget.tokens()), (3, 486));
}
