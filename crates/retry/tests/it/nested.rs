//! A retry layer within another.

use http::{Method, Request};
use outrigger_core::call;
use outrigger_core::{Failure, Fault, Outcome};
use outrigger_retry::{Exhausted, ReplayBody};
use outrigger_testkit::{Body, BoxError, Reply, mock::Mock};
use tower::buffer::Buffer;
use tower::{Layer, ServiceBuilder, ServiceExt, service_fn};

use crate::support::{failing, request, steady, within};

#[tokio::test(start_paused = true)]
async fn an_inner_retry_leaves_it_to_the_outer_one() {
    let mock = Mock::new();
    mock.any("/").always(Reply::status(500));
    let service = ServiceBuilder::new()
        .layer(steady())
        .concurrency_limit(1)
        .layer(steady().attempts(5))
        .concurrency_limit(1)
        .service(mock.clone());
    let _ = service.oneshot(request(Method::GET)).await;
    assert_eq!(mock.log().entries().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn one_call_may_pass_the_layer_twice_in_a_row() {
    // As behind a redirect: the second hop belongs to the same call.
    let mock = Mock::new();
    mock.any("/").always(Reply::status(500));
    let service = steady().layer(mock.clone());
    within(
        |_| {},
        || async {
            let _ = service.clone().oneshot(request(Method::GET)).await;
            let _ = service.oneshot(request(Method::GET)).await;
        },
    )
    .await;
    assert_eq!(mock.log().entries().len(), 6);
}

#[tokio::test(start_paused = true)]
async fn two_calls_at_once_within_one_call_each_have_their_retries() {
    let mock = Mock::new();
    mock.any("/")
        .always(Reply::status(500).after(std::time::Duration::from_millis(5)));
    let service = steady().layer(mock.clone());
    let one = service.clone().oneshot(request(Method::GET));
    let other = service.oneshot(request(Method::GET));
    let _ = within(|_| {}, || async { tokio::join!(one, other) }).await;
    assert_eq!(mock.log().entries().len(), 6);
}

#[tokio::test(start_paused = true)]
async fn a_call_of_its_own_made_below_has_its_own_retries() {
    // As a token source does, with a client of its own.
    let mock = Mock::new();
    mock.any("/").always(Reply::status(500));
    let (tokens, log) = (steady().layer(mock.clone()), mock.log());
    let server = service_fn(move |_: Request<ReplayBody<Body>>| {
        let tokens = tokens.clone();
        within(
            |_| {},
            move || async move {
                let _ = tokens.oneshot(request(Method::GET)).await;
                Ok::<_, BoxError>(http::Response::new(Body::empty()))
            },
        )
    });
    let response = steady().layer(server).oneshot(request(Method::GET)).await;
    assert_eq!(response.unwrap().status(), 200);
    assert_eq!(log.entries().len(), 3);
    assert!(call::current().is_none());
}

#[tokio::test(start_paused = true)]
async fn an_outer_retry_does_not_begin_where_an_inner_one_has_given_up() {
    let mock = Mock::new();
    mock.any("/").always(failing(Outcome::Ambiguous));
    // A buffer's worker cannot see the call of the task that it works for.
    let inner = Buffer::new(steady().layer(mock.clone()), 8);
    let error = steady()
        .layer(inner)
        .oneshot(request(Method::GET))
        .await
        .unwrap_err();
    assert!(error.is::<Exhausted>());
    assert_eq!(mock.log().entries().len(), 3);
    assert_eq!(Fault::of(&*error).outcome, Outcome::Ambiguous);
    assert!(outrigger_core::find::<Failure>(&*error).is_some());
}
