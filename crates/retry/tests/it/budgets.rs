//! What retries cost.

use http::{Method, Request};
use outrigger_core::Outcome;
use outrigger_retry::{Budget, Budgets, RetryLayer};
use outrigger_testkit::{Body, Reply, mock::Mock};
use tower::{Layer, ServiceExt};

use crate::support::{URI, failing, millis, request, steady};

fn get(uri: &str) -> Request<Body> {
    Request::get(uri).body(Body::empty()).unwrap()
}

/// Makes calls one after the other and counts what reaches the server.
async fn attempts(layer: &RetryLayer, mock: &Mock, calls: usize) -> usize {
    let service = layer.layer(mock.clone());
    let before = mock.log().entries().len();
    for _ in 0..calls {
        let _ = service.clone().oneshot(get(URI)).await;
    }
    mock.log().entries().len() - before
}

#[tokio::test(start_paused = true)]
async fn in_a_total_outage_the_default_budget_grants_35_retries() {
    for outage in [failing(Outcome::Ambiguous), Reply::status(500).into()] {
        let mock = Mock::new();
        mock.any("/").always(outage);
        assert_eq!(attempts(&steady(), &mock, 1_000).await, 1_000 + 35);
    }
    let mock = Mock::new();
    mock.any("/").always(Reply::status(503));
    assert_eq!(attempts(&steady(), &mock, 1_000).await, 1_000 + 100);
}

#[tokio::test(start_paused = true)]
async fn retries_that_succeed_pay_for_themselves() {
    let mock = Mock::new();
    let flaky = mock.any("/");
    for _ in 0..1_000 {
        let flaky = flaky.clone();
        let _ = flaky
            .times(1, Reply::status(500))
            .times(1, Reply::status(200));
    }
    let budget = Budget::new();
    let layer = steady().budget(budget.clone());
    assert_eq!(attempts(&layer, &mock, 1_000).await, 2_000);
    assert_eq!(budget.tokens(), 500);
}

#[tokio::test(start_paused = true)]
async fn success_earns_retries_back() {
    let mock = Mock::new();
    mock.any("/")
        .times(1_100, Reply::status(500))
        .times(14, Reply::status(200))
        .always(Reply::status(500));
    let budget = Budget::new().reserve(20);
    let layer = steady().budget(budget.clone());
    attempts(&layer, &mock, 1_080).await;
    assert_eq!(budget.tokens(), 0);
    attempts(&layer, &mock, 14).await;
    assert_eq!(budget.tokens(), 14);
    assert_eq!(attempts(&layer, &mock, 2).await, 3);
}

#[tokio::test(start_paused = true)]
async fn endpoints_have_budgets_of_their_own() {
    let mock = Mock::new();
    mock.any("/").always(Reply::status(500));
    let budgets = Budgets::default();
    let service = steady().budget(budgets.clone()).layer(mock.clone());
    for _ in 0..100 {
        let _ = service.clone().oneshot(get("http://broken.test/")).await;
    }
    let tokens = |uri: &str| {
        budgets
            .of(&uri.parse().unwrap())
            .map(|budget| budget.tokens())
    };
    assert_eq!(tokens("http://BROKEN.test:80/x"), Some(10));
    assert_eq!(tokens("http://other.test/"), None);
    let before = mock.log().entries().len();
    let _ = service.oneshot(get("http://other.test/")).await;
    assert_eq!(mock.log().entries().len() - before, 3);
    assert_eq!(tokens("http://other.test/"), Some(500 - 2 * 14));
}

#[tokio::test(start_paused = true)]
async fn the_first_retry_of_what_was_not_processed_is_free_and_immediate() {
    let mock = Mock::new();
    mock.any("/").always(failing(Outcome::Unprocessed));
    let budget = Budget::new();
    let service = steady()
        .attempts(4)
        .budget(budget.clone())
        .layer(mock.clone());
    let start = tokio::time::Instant::now();
    let error = service.oneshot(request(Method::POST)).await.unwrap_err();
    assert_eq!(error.to_string(), "failed after 4 attempts");
    assert_eq!(start.elapsed(), millis(50 + 100));
    assert_eq!(budget.tokens(), 500 - 2 * 14);
}

#[tokio::test(start_paused = true)]
async fn layers_may_share_a_budget_and_services_do_not_by_themselves() {
    let mock = Mock::new();
    mock.any("/").always(Reply::status(500));
    let shared = Budget::new();
    for _ in 0..2 {
        attempts(&steady().budget(shared.clone()), &mock, 100).await;
    }
    assert_eq!(mock.log().entries().len(), 200 + 35);
    let layer = steady();
    assert_eq!(attempts(&layer, &mock, 100).await, 135);
    assert_eq!(attempts(&layer, &mock, 100).await, 135, "begun afresh");
    let service = layer.layer(mock.clone());
    let clone = service.clone();
    let before = mock.log().entries().len();
    for _ in 0..100 {
        let _ = service.clone().oneshot(get(URI)).await;
        let _ = clone.clone().oneshot(get(URI)).await;
    }
    assert_eq!(
        mock.log().entries().len() - before,
        200 + 35,
        "clones share"
    );
}

#[tokio::test(start_paused = true)]
async fn a_ratio_bounds_retries_by_what_succeeds() {
    for num in [1, 3, 6, 9] {
        // Half of the calls ask for /up, which answers, and half for /down, which does not.
        let mock = Mock::new();
        mock.get("/up").always(Reply::status(200));
        let down = mock.get("/down").always(Reply::status(500));
        let layer = steady().attempts(2).budget(Budget::ratio(num, 10));
        let service = layer.layer(mock.clone());
        for _ in 0..10_000 {
            let _ = service
                .clone()
                .oneshot(get("http://upstream.test/up"))
                .await;
            let _ = service
                .clone()
                .oneshot(get("http://upstream.test/down"))
                .await;
        }
        let retries = u32::try_from(down.calls() - 10_000).unwrap();
        assert!(
            retries.abs_diff(num * 1_000) <= num * 10,
            "{num}/10: {retries}"
        );
    }
}
