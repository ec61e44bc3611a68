//! The request body: pauses in which the transport does not take it, and where the attempt begins.

use std::convert::Infallible;
use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use http_body_util::channel::{Channel, Sender};
use http_body_util::{BodyExt, Full};
use outrigger_core::call::{self, Dispatch};
use outrigger_core::{BoxError, Outcome};
use outrigger_timeout::{DeadlineLayer, Phase, RequestBody, TimeoutLayer, Timeouts};
use tokio::time::Instant;
use tower::{Layer, Service, ServiceExt};

use super::support::*;

type Stream = Channel<Bytes, Infallible>;

/// A transport that takes the body on a task of its own, a frame after each of these pauses, keeps it
/// as long as one is left, and never answers.
fn takes<B, const N: usize>(
    pauses: [Duration; N],
) -> impl Service<Request<RequestBody<B>>, Response = Response<Nothing>, Error = BoxError> + Clone
where
    B: Body<Error: std::fmt::Debug> + Send + 'static,
{
    tower::service_fn(move |request: Request<RequestBody<B>>| {
        tokio::spawn(async move {
            let mut body = pin!(request.into_body());
            for before in pauses {
                pause(before).await;
                if body.frame().await.is_none() {
                    return;
                }
            }
        });
        std::future::pending()
    })
}

const NEVER: Duration = Duration::from_secs(1_000_000);

/// A body with as many frames as are wanted, all there at once.
fn frames(count: usize) -> Request<Stream> {
    let (mut sender, body) = Channel::new(count);
    for _ in 0..count {
        sender
            .try_send(http_body::Frame::data(Bytes::from("frame")))
            .unwrap();
    }
    Request::post("/").body(body).unwrap()
}

/// A body whose frames come after these pauses.
fn slow<const N: usize>(pauses: [Duration; N]) -> Request<Stream> {
    let (mut sender, body): (Sender<Bytes, Infallible>, _) = Channel::new(1);
    tokio::spawn(async move {
        for before in pauses {
            pause(before).await;
            sender.send_data(Bytes::from("frame")).await.unwrap();
        }
    });
    Request::post("/").body(body).unwrap()
}

fn layer() -> TimeoutLayer {
    TimeoutLayer::new(2 * SECOND).write_idle(5 * SECOND)
}

#[tokio::test(start_paused = true)]
async fn a_transport_that_does_not_come_for_the_body_elapses() {
    let service = layer().layer(takes([NEVER]));
    let (result, took) = timed(service.oneshot(frames(1))).await;
    assert_eq!(
        elapsed(result),
        (Phase::WriteIdle, 5 * SECOND, Outcome::Ambiguous)
    );
    assert_eq!(took, 5 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn each_pause_of_the_transport_counts_by_itself() {
    let service = layer().layer(takes([4 * SECOND, 4 * SECOND, 4 * SECOND, NEVER]));
    let (result, took) = timed(service.oneshot(frames(9))).await;
    assert_eq!(elapsed(result).0, Phase::WriteIdle);
    assert_eq!(took, 17 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn the_limit_counts_from_the_end_of_the_body() {
    let service = layer().layer(takes([3 * SECOND, 3 * SECOND, 3 * SECOND, Duration::ZERO]));
    let (result, took) = timed(service.oneshot(frames(3))).await;
    assert_eq!(
        elapsed(result),
        (Phase::Attempt, 2 * SECOND, Outcome::Ambiguous)
    );
    assert_eq!(took, 11 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_body_of_one_frame_ends_with_it() {
    let request = Request::post("/")
        .body(Full::<Bytes>::from("whole"))
        .unwrap();
    let service = layer().layer(takes([SECOND, NEVER]));
    let (result, took) = timed(service.oneshot(request)).await;
    assert_eq!((elapsed(result).0, took), (Phase::Attempt, 3 * SECOND));
}

#[tokio::test(start_paused = true)]
async fn a_body_that_the_transport_drops_is_over() {
    let service = layer().layer(takes([3 * SECOND]));
    let (result, took) = timed(service.oneshot(frames(9))).await;
    assert_eq!((elapsed(result).0, took), (Phase::Attempt, 5 * SECOND));
}

#[tokio::test(start_paused = true)]
async fn the_callers_own_pauses_do_not_count() {
    let service = layer().layer(takes([Duration::ZERO; 9]));
    let request = slow([60 * SECOND, 60 * SECOND]);
    let (result, took) = timed(service.oneshot(request)).await;
    assert_eq!((elapsed(result).0, took), (Phase::Attempt, 122 * SECOND));
}

#[tokio::test(start_paused = true)]
async fn the_transports_pause_counts_from_the_frame_that_came_late() {
    let service = layer().layer(takes([Duration::ZERO, NEVER]));
    let (result, took) = timed(service.oneshot(slow([61_234 * MS, SECOND]))).await;
    assert_eq!((elapsed(result).0, took), (Phase::WriteIdle, 66_234 * MS));
}

#[tokio::test(start_paused = true)]
async fn no_pause_counts_before_dispatch() {
    let service = tower::service_fn(|request: Request<RequestBody<Stream>>| {
        call::update(|call| call.report(Dispatch::Waiting));
        async move {
            let _body = request.into_body();
            pause(60 * SECOND).await;
            call::update(|call| call.report(Dispatch::Sent(Instant::now())));
            std::future::pending::<Result<Response<Nothing>, BoxError>>().await
        }
    });
    let (result, took) = timed(layer().layer(service).oneshot(frames(1))).await;
    assert_eq!((elapsed(result).0, took), (Phase::WriteIdle, 65 * SECOND));
}

#[tokio::test(start_paused = true)]
async fn the_deadline_bounds_the_upload_too() {
    let stack = (DeadlineLayer::new(3 * SECOND), layer());
    let (result, took) = timed(stack.layer(takes([NEVER])).oneshot(frames(1))).await;
    assert_eq!((elapsed(result).0, took), (Phase::Total, 3 * SECOND));
}

#[tokio::test(start_paused = true)]
async fn a_call_may_have_a_pause_of_its_own_or_none() {
    let mut request = frames(1);
    request
        .extensions_mut()
        .insert(Timeouts::new().write_idle(SECOND));
    let service = layer().layer(takes([NEVER]));
    let (result, took) = timed(service.oneshot(request)).await;
    assert_eq!((elapsed(result).0, took), (Phase::WriteIdle, SECOND));

    let patient = layer()
        .without_write_idle()
        .layer(takes([600 * SECOND, Duration::ZERO]));
    let (result, took) = timed(patient.oneshot(frames(1))).await;
    assert_eq!((elapsed(result).0, took), (Phase::Attempt, 602 * SECOND));
}

#[tokio::test(start_paused = true)]
async fn an_answer_during_the_upload_wins() {
    let early = tower::service_fn(|request: Request<RequestBody<Stream>>| async move {
        let _unread = request.into_body();
        pause(4 * SECOND).await;
        Ok::<_, BoxError>(ok())
    });
    assert!(layer().layer(early).oneshot(frames(1)).await.is_ok());
}
