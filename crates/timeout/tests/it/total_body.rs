//! The deadline that goes on in the response body.

use std::convert::Infallible;

use bytes::Bytes;
use http_body_util::BodyExt;
use http_body_util::channel::Channel;
use outrigger_core::Outcome;
use outrigger_timeout::{DeadlineLayer, Phase, TimeoutLayer};
use tower::{Layer, ServiceExt};

use super::support::*;

/// A body that gets a byte each 100 ms.
fn drip() -> Channel<Bytes, Infallible> {
    let (mut sender, body) = Channel::new(1);
    tokio::spawn(async move {
        while sender.send_data(Bytes::from_static(b".")).await.is_ok() {
            pause(100 * MS).await;
        }
    });
    body
}

#[tokio::test(start_paused = true)]
async fn the_deadline_goes_on_in_the_body_by_option() {
    let stack = (
        DeadlineLayer::new(SECOND).body(true),
        TimeoutLayer::default(),
    );
    let (result, took) = timed(async {
        let response = stack.layer(answers_with(drip())).oneshot(get()).await?;
        pause(350 * MS).await;
        response.into_body().collect().await
    })
    .await;
    assert_eq!(elapsed(result), (Phase::Total, SECOND, Outcome::Ambiguous));
    assert_eq!(took, SECOND);
}

#[tokio::test(start_paused = true)]
async fn without_the_option_the_head_ends_it() {
    let service = DeadlineLayer::new(SECOND).layer(answers_with(drip()));
    let body = service.oneshot(get()).await.unwrap().into_body();
    let reading = tokio::time::timeout(60 * SECOND, body.collect()).await;
    assert!(reading.is_err(), "it drips on");
}

#[tokio::test(start_paused = true)]
async fn a_frame_at_the_deadline_itself_wins() {
    let (mut sender, body) = Channel::<Bytes, Infallible>::new(1);
    let service = DeadlineLayer::new(SECOND)
        .body(true)
        .layer(answers_with(body));
    let mut body = service.oneshot(get()).await.unwrap().into_body();
    tokio::spawn(async move {
        pause(SECOND).await;
        sender.send_data(Bytes::from("at last")).await.unwrap();
        pause(SECOND).await;
    });
    pause(SECOND + MS).await;
    assert!(body.frame().await.unwrap().is_ok(), "what is there is read");
    assert_eq!(elapsed(body.frame().await.unwrap()).0, Phase::Total);
}
