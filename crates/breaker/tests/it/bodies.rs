//! What the end of a body says after a good head.

use std::pin::Pin;
use std::sync::atomic::AtomicBool;
use std::task::{Context, Poll};

use http::HeaderMap;
use http_body::Frame;
use http_body_util::BodyExt;
use http_body_util::channel::{Channel, Sender};
use outrigger_breaker::{BreakerHandle, GrpcClassify, Ratio, Verdict};
use outrigger_core::End;
use tokio::sync::mpsc;

use super::*;

type Streamed = Channel<Bytes, BoxError>;
type Written = mpsc::UnboundedReceiver<Sender<Bytes, BoxError>>;

/// A server whose answers' bodies a test writes itself.
fn streaming() -> (
    impl Service<Request<()>, Response = Response<Streamed>, Error = BoxError, Future: Send> + Clone,
    Written,
) {
    let (bodies, written) = mpsc::unbounded_channel();
    let server = service_fn(move |_: Request<()>| {
        let (sender, body) = Channel::new(4);
        bodies.send(sender).unwrap();
        async move { Ok(Response::new(body)) }
    });
    (server, written)
}

fn grpc(status: &'static str) -> HeaderMap {
    HeaderMap::from_iter([("grpc-status".parse().unwrap(), status.parse().unwrap())])
}

#[tokio::test(start_paused = true)]
async fn bodies_that_break_after_a_good_head_open_the_circuit() {
    for trip in [
        Trip::consecutive(5),
        Trip::ratio(Ratio::percent(100)).min_calls(5),
    ] {
        let (server, mut written) = streaming();
        let service = BreakerLayer::new(trip).layer(server);
        for _ in 0..5 {
            let response = service.clone().oneshot(get()).await.unwrap();
            let mut sender = written.recv().await.unwrap();
            sender.send_data(Bytes::from("half")).await.unwrap();
            sender.abort("reset".into());
            assert!(response.into_body().collect().await.is_err());
        }
        assert_eq!(call(&service, get()).await, REFUSED, "{trip:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn bodies_that_end_or_are_dropped_do_not() {
    let (server, mut written) = streaming();
    let handle = BreakerHandle::new();
    let service = three().handle(&handle).layer(server);
    for round in 0..20 {
        let response = service.clone().oneshot(get()).await.unwrap();
        let mut sender = written.recv().await.unwrap();
        let mut body = response.into_body();
        sender.send_data(Bytes::from("half")).await.unwrap();
        body.frame().await.unwrap().unwrap();
        if round % 2 == 0 {
            drop(sender);
            assert!(body.frame().await.is_none());
        }
    }
    let seen = &handle.snapshots()[0];
    assert_eq!((seen.calls(), seen.failures()), (20, 0));
}

#[tokio::test(start_paused = true)]
async fn grpc_trailers_that_say_unavailable_open_it_though_http_says_200() {
    for trip in [
        Trip::default(),
        Trip::ratio(Ratio::percent(100)).min_calls(5),
    ] {
        let (server, mut written) = streaming();
        let service = BreakerLayer::new(trip).classify(GrpcClassify).layer(server);
        for _ in 0..5 {
            let response = service.clone().oneshot(get()).await.unwrap();
            let mut sender = written.recv().await.unwrap();
            sender.send_trailers(grpc("14")).await.unwrap();
            drop(sender);
            response.into_body().collect().await.unwrap();
        }
        assert_eq!(call(&service, get()).await, REFUSED, "{trip:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_grpc_stream_that_fails_after_messages_is_one_failure() {
    let (server, mut written) = streaming();
    let service = BreakerLayer::default().classify(GrpcClassify).layer(server);
    for _ in 0..5 {
        let response = service.clone().oneshot(get()).await.unwrap();
        let mut sender = written.recv().await.unwrap();
        for _ in 0..3 {
            sender.send_data(Bytes::from("message")).await.unwrap();
        }
        sender.send_trailers(grpc("14")).await.unwrap();
        drop(sender);
        response.into_body().collect().await.unwrap();
    }
    assert_eq!(call(&service, get()).await, REFUSED);
}

/// What became of four answers that come to `status` in the end, whose heads take so long each, and
/// whose bodies are read up to their first message or to their ends.
async fn timed(head: Duration, status: &'static str, read: bool) -> (u64, u64, u64) {
    let (server, mut written) = streaming();
    let late = service_fn(move |request: Request<()>| {
        let answer = server.clone().oneshot(request);
        async move {
            pause(head).await;
            answer.await
        }
    });
    let handle = BreakerHandle::new();
    let trip = Trip::slow(Ratio::percent(100))
        .min_calls(100)
        .window(100 * SECOND);
    let layer = BreakerLayer::new(trip).slow_call(SECOND).handle(&handle);
    let service = layer.classify(GrpcClassify).layer(late);
    for message in [true, false, true, false] {
        let response = service.clone().oneshot(get()).await.unwrap();
        let mut sender = written.recv().await.unwrap();
        // However long the rest takes.
        pause(5 * SECOND).await;
        if message {
            sender.send_data(Bytes::from("message")).await.unwrap();
        }
        sender.send_trailers(grpc(status)).await.unwrap();
        drop(sender);
        if read {
            response.into_body().collect().await.unwrap();
        }
    }
    let seen = &handle.snapshots()[0];
    (seen.calls(), seen.slow(), seen.failures())
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_slow_by_its_head_though_only_its_trailers_tell_that_it_was_good() {
    let (late, soon) = (1_500 * MS, 500 * MS);
    assert_eq!(timed(late, "0", true).await, (4, 4, 0));
    assert_eq!(timed(soon, "0", true).await, (4, 0, 0));
    assert_eq!(
        timed(late, "14", true).await,
        (4, 2, 4),
        "a stream that began late, and failed"
    );
    assert_eq!(
        timed(late, "8", true).await,
        (2, 2, 0),
        "without a message it says nothing"
    );
    assert_eq!(timed(late, "0", false).await, (4, 4, 0), "dropped");
    assert_eq!(timed(soon, "0", false).await, (0, 0, 0), "dropped");
}

#[tokio::test(start_paused = true)]
async fn a_grpc_answer_without_a_status_has_failed_and_one_in_its_head_needs_no_body() {
    let (server, mut written) = streaming();
    let service = three().classify(GrpcClassify).layer(server);
    for _ in 0..3 {
        let response = service.clone().oneshot(get()).await.unwrap();
        drop(written.recv().await);
        response.into_body().collect().await.unwrap();
    }
    assert_eq!(call(&service, get()).await, REFUSED);

    let trailers_only = service_fn(async |_: Request<()>| {
        let response = Response::builder().header("grpc-status", "14");
        Ok::<_, BoxError>(response.body(Body::new())?)
    });
    let service = three().classify(GrpcClassify).layer(trailers_only);
    for _ in 0..3 {
        assert_eq!(call(&service, get()).await, Came::To(200));
    }
    assert_eq!(call(&service, get()).await, REFUSED);
}

/// Takes an answer for good by its head, and for none when it ends without trailers.
#[derive(Clone, Debug)]
struct Strict;

impl Classify for Strict {
    fn head(&self, _: StatusCode, _: &HeaderMap) -> Option<Verdict> {
        Some(Verdict::Success)
    }

    fn end(&self, end: End<'_>) -> Verdict {
        match end {
            End::Complete(Some(_)) => Verdict::Success,
            _ => Verdict::Failure,
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_ends_with_a_good_head_may_have_failed_by_that() {
    let service = three().classify(Strict).layer(Peer::well().serve());
    for _ in 0..3 {
        assert_eq!(call(&service, get()).await, Came::To(200));
    }
    assert_eq!(call(&service, get()).await, REFUSED);
}

/// A body that comes to its end when it was asked once: who writes it is on another thread, and done.
#[derive(Default)]
struct Ending(AtomicBool);

impl http_body::Body for Ending {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        Poll::Ready(None)
    }

    fn is_end_stream(&self) -> bool {
        self.0.swap(true, Ordering::Relaxed)
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_ends_while_it_is_handed_on_is_judged_by_its_end() {
    let server = service_fn(async |request: Request<()>| {
        let status = match request.uri().path() {
            "/ill" => 503,
            _ => 200,
        };
        Ok::<_, BoxError>(Response::builder().status(status).body(Ending::default())?)
    });
    let service = three().layer(server);
    for _ in 0..5 {
        for _ in 0..2 {
            let ill = to("http://a.example/ill");
            assert_eq!(call(&service, ill).await, Came::To(503));
        }
        assert_eq!(call(&service, get()).await, Came::To(200));
    }
    let service = three().classify(GrpcClassify).layer(server);
    for _ in 0..3 {
        assert_eq!(call(&service, get()).await, Came::To(200));
    }
    assert_eq!(call(&service, get()).await, REFUSED, "without a status");
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_lasts_for_hours_does_not_keep_the_circuit_half_open() {
    let (server, mut written) = streaming();
    let ill = Peer::ill();
    let failing = ill.serve();
    let server = service_fn(move |request: Request<()>| {
        let (ill, streaming) = (failing.clone(), server.clone());
        async move {
            match request.uri().path() {
                "/ill" => ill
                    .oneshot(request)
                    .await
                    .map(|r| r.map(|_| Channel::new(1).1)),
                _ => streaming.oneshot(request).await,
            }
        }
    });
    let handle = BreakerHandle::new();
    let layer = three().classify(GrpcClassify).handle(&handle);
    let service = layer.layer(server);
    for _ in 0..3 {
        call(&service, to("http://a.example/ill")).await;
    }
    pause(6 * SECOND).await;
    let mut streams = Vec::new();
    for _ in 0..3 {
        let mut body = service.clone().oneshot(get()).await.unwrap().into_body();
        let mut sender = written.recv().await.unwrap();
        sender.send_data(Bytes::from("message")).await.unwrap();
        body.frame().await.unwrap().unwrap();
        streams.push((sender, body));
    }
    assert_eq!(handle.snapshots()[0].state(), State::Ramping);
}

#[tokio::test(start_paused = true)]
async fn a_probe_whose_body_breaks_while_others_are_awaited_opens_again() {
    let (server, mut written) = streaming();
    let failing = Peer::ill().serve();
    let server = service_fn(move |request: Request<()>| {
        let (ill, streaming) = (failing.clone(), server.clone());
        async move {
            match request.uri().path() {
                "/ill" => ill
                    .oneshot(request)
                    .await
                    .map(|r| r.map(|_| Channel::new(1).1)),
                _ => streaming.oneshot(request).await,
            }
        }
    });
    let service = three().layer(server);
    for _ in 0..3 {
        call(&service, to("http://a.example/ill")).await;
    }
    pause(6 * SECOND).await;
    let body = service.clone().oneshot(get()).await.unwrap().into_body();
    written.recv().await.unwrap().abort("reset".into());
    assert!(body.collect().await.is_err());
    assert_eq!(call(&service, get()).await, REFUSED);
}

#[tokio::test(start_paused = true)]
async fn hints_and_trailers_pass_through() {
    let (server, mut written) = streaming();
    let service = three().layer(server);
    let response = service.clone().oneshot(get()).await.unwrap();
    let mut sender = written.recv().await.unwrap();
    sender.send_trailers(grpc("0")).await.unwrap();
    drop(sender);
    let collected = response.into_body().collect().await.unwrap();
    assert_eq!(collected.trailers().unwrap()["grpc-status"], "0");

    let full = service_fn(async |_: Request<()>| {
        Ok::<_, BoxError>(Response::new(http_body_util::Full::<Bytes>::from("12345")))
    });
    let response = three().layer(full).oneshot(get()).await.unwrap();
    let hint = http_body::Body::size_hint(response.body()).exact();
    assert_eq!(hint, Some(5));
}
