//! What the deadline covers, and where it comes from.

use std::task::{Context, Poll};

use outrigger_core::inbound::{self, Inbound};
use outrigger_core::{BoxError, Outcome};
use outrigger_timeout::{Deadline, DeadlineLayer, Phase, TimeoutLayer, Timeouts};
use tokio::time::Instant;
use tower::{Layer, Service, ServiceBuilder, ServiceExt};

use super::support::*;

#[tokio::test(start_paused = true)]
async fn a_late_answer_elapses_at_the_deadline() {
    let service = DeadlineLayer::new(SECOND).layer(answers_after(2 * SECOND));
    let (result, took) = timed(service.oneshot(get())).await;
    assert_eq!(elapsed(result), (Phase::Total, SECOND, Outcome::Ambiguous));
    assert_eq!(took, SECOND);
}

#[tokio::test(start_paused = true)]
async fn an_answer_at_the_deadline_itself_wins() {
    for service in [answers_after(SECOND), answers_after(SECOND - MS)] {
        let (result, _) = timed(DeadlineLayer::new(SECOND).layer(service).oneshot(get())).await;
        assert!(result.is_ok());
    }
}

/// Is never ready.
#[derive(Clone)]
struct Saturated;

impl<R> Service<R> for Saturated {
    type Response = http::Response<Nothing>;
    type Error = BoxError;
    type Future = std::future::Pending<Result<Self::Response, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Pending
    }

    fn call(&mut self, _: R) -> Self::Future {
        unreachable!("it was never ready")
    }
}

#[tokio::test(start_paused = true)]
async fn waiting_for_a_saturated_service_elapses_unsent() {
    let (result, took) = timed(DeadlineLayer::new(SECOND).layer(Saturated).oneshot(get())).await;
    assert_eq!(elapsed(result), (Phase::Total, SECOND, Outcome::Unsent));
    assert_eq!(took, SECOND);

    let stack = (DeadlineLayer::new(SECOND), TimeoutLayer::default());
    let (result, took) = timed(stack.layer(Saturated).oneshot(get())).await;
    assert_eq!(elapsed(result), (Phase::Total, SECOND, Outcome::Unsent));
    assert_eq!(took, SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_deadline_that_has_passed_calls_nothing() {
    async fn untouched<B>(_: http::Request<B>) -> Result<http::Response<Nothing>, BoxError> {
        unreachable!("called")
    }
    let untouched = || tower::service_fn(untouched);
    let at_once = DeadlineLayer::new(std::time::Duration::ZERO).layer(untouched());
    let (result, took) = timed(at_once.oneshot(get())).await;
    assert_eq!(elapsed(result).2, Outcome::Unsent);
    assert_eq!(took, std::time::Duration::ZERO);

    let mut request = get();
    request
        .extensions_mut()
        .insert(Deadline::at(Instant::now()));
    pause(SECOND).await;
    let service = DeadlineLayer::default().layer(untouched());
    assert_eq!(elapsed(service.oneshot(request).await).2, Outcome::Unsent);
}

#[tokio::test(start_paused = true)]
async fn no_limit_is_no_limit() {
    let year = 365 * 24 * 3600 * SECOND;
    let service = DeadlineLayer::new(std::time::Duration::MAX).layer(answers_after(year));
    assert!(service.oneshot(get()).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn the_callers_earlier_deadline_wins() {
    let mut request = get();
    request.extensions_mut().insert(Deadline::within(SECOND));
    let service = DeadlineLayer::new(2 * SECOND).layer(never_answers());
    let (result, took) = timed(service.oneshot(request)).await;
    assert_eq!((elapsed(result).1, took), (SECOND, SECOND));

    let mut request = get();
    request
        .extensions_mut()
        .insert(Deadline::within(9 * SECOND));
    let service = DeadlineLayer::new(2 * SECOND).layer(never_answers());
    assert_eq!(timed(service.oneshot(request)).await.1, 2 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_call_may_have_a_total_of_its_own() {
    for (total, expected) in [(SECOND, SECOND), (9 * SECOND, 9 * SECOND)] {
        let mut request = get();
        request
            .extensions_mut()
            .insert(Timeouts::new().total(total));
        let service = DeadlineLayer::new(2 * SECOND).layer(never_answers());
        assert_eq!(timed(service.oneshot(request)).await.1, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn the_inbound_requests_deadline_bounds_its_outbound_calls() {
    let request = Inbound {
        request_id: None,
        deadline: Some(Deadline::within(SECOND)),
    };
    inbound::within(request, async {
        let whole = DeadlineLayer::default().layer(never_answers());
        let attempt = TimeoutLayer::default().layer(never_answers());
        let (whole, attempt) =
            tokio::join!(timed(whole.oneshot(get())), timed(attempt.oneshot(get())));
        assert_eq!((elapsed(whole.0).0, whole.1), (Phase::Total, SECOND));
        assert_eq!((elapsed(attempt.0).0, attempt.1), (Phase::Total, SECOND));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_headers_of_the_caller_count() {
    let name = http::HeaderName::from_static("x-timeout-ms");
    let mut request = get();
    request.headers_mut().insert(&name, 250.into());
    let service = DeadlineLayer::default().header(name).layer(never_answers());
    assert_eq!(timed(service.oneshot(request)).await.1, 250 * MS);

    let request = http::Request::post("/echo.Echo/Unary")
        .header("content-type", "application/grpc")
        .header("grpc-timeout", "300m")
        .body(Nothing::new())
        .unwrap();
    let service = DeadlineLayer::default().layer(never_answers());
    assert_eq!(timed(service.oneshot(request)).await.1, 300 * MS);
}

#[tokio::test(start_paused = true)]
async fn a_deadline_set_by_an_outer_layer_is_only_shortened() {
    let stack = || ServiceBuilder::new().layer(DeadlineLayer::new(2 * SECOND));
    let inner_longer = stack()
        .layer(DeadlineLayer::new(5 * SECOND))
        .service(never_answers());
    assert_eq!(timed(inner_longer.oneshot(get())).await.1, 2 * SECOND);
    let inner_shorter = stack()
        .layer(DeadlineLayer::new(SECOND))
        .service(never_answers());
    assert_eq!(timed(inner_shorter.oneshot(get())).await.1, SECOND);
}

#[tokio::test(start_paused = true)]
async fn switched_off_it_lets_everything_through() {
    let service = DeadlineLayer::new(SECOND).body(true).enabled(false);
    let (result, took) = timed(service.layer(answers_after(2 * SECOND)).oneshot(get())).await;
    assert!(result.is_ok());
    assert_eq!(took, 2 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn errors_of_the_inner_service_pass_through_unwrapped() {
    let failing = tower::service_fn(|_: http::Request<_>| async {
        Err::<http::Response<Nothing>, BoxError>(std::io::Error::other("reset").into())
    });
    let stack = (DeadlineLayer::default(), TimeoutLayer::default());
    let error = stack.layer(failing).oneshot(get()).await.unwrap_err();
    assert!(error.is::<std::io::Error>());
}
