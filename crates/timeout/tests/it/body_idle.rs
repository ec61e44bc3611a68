//! Pauses within the response body: only those in which the reader waits count.

use std::convert::Infallible;
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request};
use http_body::{Body, Frame};
use http_body_util::channel::{Channel, Sender};
use http_body_util::{BodyExt, Empty, Full};
use outrigger_core::{BoxError, Outcome};
use outrigger_timeout::{DeadlineLayer, Phase, ResponseBody, TimeoutLayer, Timeouts};
use tokio_test::{assert_pending, task};
use tower::{Layer, ServiceExt};

use super::support::*;

type Stream = Channel<Bytes, Infallible>;

/// An answer whose body is what goes into the sender.
async fn stream(
    layer: TimeoutLayer,
    request: Request<Nothing>,
) -> (Sender<Bytes, Infallible>, ResponseBody<Stream>) {
    let (sender, body) = Channel::new(1);
    let response = layer.layer(answers_with(body)).oneshot(request).await;
    (sender, response.unwrap().into_body())
}

fn second() -> TimeoutLayer {
    TimeoutLayer::default().body_idle(SECOND)
}

#[tokio::test(start_paused = true)]
async fn a_body_that_pauses_too_long_elapses_and_is_over() {
    let (mut sender, mut body) = stream(second(), get()).await;
    sender.send_data(Bytes::from("first")).await.unwrap();
    assert!(body.frame().await.unwrap().is_ok());

    let (frame, took) = timed(body.frame()).await;
    let (phase, limit, outcome) = elapsed(frame.unwrap());
    assert_eq!((phase, limit), (Phase::BodyIdle, SECOND));
    assert_eq!((outcome, took), (Outcome::Ambiguous, SECOND));
    assert!(body.is_end_stream());
    assert!(body.frame().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_frame_that_is_there_is_never_lost_to_a_slow_reader() {
    let (mut sender, body) = stream(second(), get()).await;
    let mut body = task::spawn(body);
    assert_pending!(body.enter(|cx, body| body.poll_frame(cx)));
    pause(100 * MS).await;
    sender.send_data(Bytes::from("in time")).await.unwrap();
    pause(2 * SECOND).await;
    let frame = body.enter(|cx, body| body.poll_frame(cx));
    assert!(matches!(frame, Poll::Ready(Some(Ok(_)))));

    // And the pause counts anew from the reader's return.
    pause(2 * SECOND).await;
    assert_pending!(body.enter(|cx, body| body.poll_frame(cx)));
    pause(SECOND - 2 * MS).await;
    assert_pending!(body.enter(|cx, body| body.poll_frame(cx)));
    pause(2 * MS).await;
    let late = body.enter(|cx, body| body.poll_frame(cx));
    assert!(matches!(late, Poll::Ready(Some(Err(_)))));
}

#[tokio::test(start_paused = true)]
async fn a_slow_drip_is_no_pause() {
    let (mut sender, body) = stream(second(), get()).await;
    let drip = tokio::spawn(async move {
        for _ in 0..60 {
            pause(SECOND - MS).await;
            sender.send_data(Bytes::from("drop")).await.unwrap();
        }
        sender.send_trailers(HeaderMap::new()).await.unwrap();
    });
    let (whole, took) = timed(body.collect()).await;
    let whole = whole.unwrap();
    assert!(whole.trailers().is_some());
    assert_eq!(whole.to_bytes().len(), 60 * 4);
    assert_eq!(took, 60 * (SECOND - MS));
    drip.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_body_without_a_pause_arms_no_timer() {
    // Outside a runtime a timer would panic.
    let bodies = async {
        let layer = second();
        let empty = layer
            .layer(answers_with(Empty::<Bytes>::new()))
            .oneshot(get())
            .await;
        let full = layer
            .layer(answers_with(Full::<Bytes>::from("whole")))
            .oneshot(get())
            .await;
        (empty.unwrap().into_body(), full.unwrap().into_body())
    };
    let (empty, full) = bodies.await;
    assert!(empty.is_end_stream());
    std::thread::spawn(move || {
        let mut empty = task::spawn(empty.collect());
        assert!(empty.poll().is_ready());
        let mut full = task::spawn(full.collect());
        assert!(full.poll().is_ready());
    })
    .join()
    .unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_call_may_have_a_pause_of_its_own_or_none() {
    for (layer, own, expected) in [
        (second(), Some(3 * SECOND), Some(3 * SECOND)),
        (second(), Some(Duration::MAX), None),
        (
            TimeoutLayer::default(),
            None,
            Some(TimeoutLayer::DEFAULT_BODY_IDLE),
        ),
        (second().without_body_idle(), None, None),
    ] {
        let mut request = get();
        if let Some(own) = own {
            request
                .extensions_mut()
                .insert(Timeouts::new().body_idle(own));
        }
        let (_sender, mut body) = stream(layer, request).await;
        let day = 24 * 3600 * SECOND;
        let (frame, took) = timed(tokio::time::timeout(day, body.frame())).await;
        match expected {
            Some(pause) => {
                assert_eq!(
                    (elapsed(frame.unwrap().unwrap()).0, took),
                    (Phase::BodyIdle, pause)
                );
            }
            None => assert!(frame.is_err(), "it waits for a day"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn hints_and_trailers_pass_through() {
    let trailers = HeaderMap::from_iter([(http::header::ETAG, "x".parse().unwrap())]);
    let full = || Full::<Bytes>::from("12345");
    let body = full().with_trailers(std::future::ready(Some(Ok(trailers.clone()))));
    let before = (body.size_hint().exact(), body.is_end_stream());
    let stack = (DeadlineLayer::default().body(true), second());
    let response = stack
        .layer(answers_with(body))
        .oneshot(get())
        .await
        .unwrap();
    let body = response.into_body();
    assert_eq!((body.size_hint().exact(), body.is_end_stream()), before);
    assert_eq!(body.collect().await.unwrap().trailers(), Some(&trailers));

    let full = stack.layer(answers_with(full())).oneshot(get()).await;
    let full = full.unwrap().into_body();
    assert_eq!(
        (full.size_hint().exact(), full.is_end_stream()),
        (Some(5), false)
    );
}

#[tokio::test(start_paused = true)]
async fn the_bodys_own_error_passes_through() {
    struct Broken;
    impl Body for Broken {
        type Data = Bytes;
        type Error = BoxError;
        fn poll_frame(
            self: Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
            Poll::Ready(Some(Err(std::io::Error::other("reset").into())))
        }
    }
    let response = second()
        .layer(answers_with(Broken))
        .oneshot(get())
        .await
        .unwrap();
    let error = pin!(response.into_body())
        .frame()
        .await
        .unwrap()
        .unwrap_err();
    assert!(error.is::<std::io::Error>());
}

#[test]
fn a_default_body_has_no_clock_and_its_own_hints() {
    let body = ResponseBody::<Empty<Bytes>>::default();
    assert!(body.is_end_stream());
}
