//! Request bodies through the layer.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response};
use http_body::{Body as _, Frame};
use http_body_util::{BodyExt, Channel};
use outrigger_core::{Failure, Fault, Outcome};
use outrigger_retry::{ReplayBody, Rewind};
use outrigger_testkit::{Body, BoxError, Reply, mock::Mock};
use tokio::sync::mpsc;
use tower::{Layer, Service, ServiceExt, service_fn};

use crate::support::{URI, failing, millis, steady};

fn put<B>(body: B) -> Request<B> {
    Request::put(URI).body(body).unwrap()
}

#[tokio::test(start_paused = true)]
async fn every_attempt_gets_the_whole_stream_with_its_trailers() {
    let trailers = HeaderMap::from_iter([(http::header::ETAG, "7".parse().unwrap())]);
    let body = Body::empty()
        .data("one ")
        .pause(millis(5))
        .data("two")
        .trailers(trailers.clone());
    let server = service_fn(|request: Request<ReplayBody<Body>>| async move {
        let whole = request.into_body().collect().await?;
        let trailers = whole.trailers().cloned().unwrap_or_default();
        assert_eq!(
            (&whole.to_bytes()[..], &trailers[http::header::ETAG]),
            (&b"one two"[..], &"7".parse().unwrap())
        );
        Ok::<_, BoxError>(Response::builder().status(500).body(Body::empty())?)
    });
    let response = steady().layer(server).oneshot(put(body)).await.unwrap();
    assert_eq!(response.status(), 500);
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_reads_nothing_costs_the_next_one_nothing() {
    let mut attempt = 0;
    let server = service_fn(move |request: Request<ReplayBody<Body>>| {
        attempt += 1;
        let reads = attempt - 1;
        async move {
            let mut body = request.into_body();
            for _ in 0..reads {
                body.frame().await.unwrap()?;
            }
            if reads == 2 {
                assert!(body.frame().await.is_none());
                return Ok::<_, BoxError>(Response::new(Body::empty()));
            }
            Err(Failure::new("reset", Fault::new(Outcome::Ambiguous)).into())
        }
    });
    let body = Body::empty().data("a").data("b").pause(millis(1));
    let response = steady().layer(server).oneshot(put(body)).await.unwrap();
    assert_eq!(response.status(), 200);
}

#[tokio::test(start_paused = true)]
async fn a_body_past_its_cap_is_sent_once_and_whole() {
    let mock = Mock::new();
    mock.any("/").always(Reply::status(500));
    let frame = Bytes::from(vec![7; 1024]);
    let body = (0..9)
        .fold(Body::empty(), |body, _| body.data(frame.clone()))
        .pause(millis(1));
    let service = steady().replay_per_call(8 * 1024).layer(mock.clone());
    let response = service.oneshot(put(body)).await.unwrap();
    assert_eq!(response.status(), 500);
    let entries = mock.log().entries();
    assert_eq!(entries.len(), 1);
    assert_eq!(entries[0].body().unwrap().len(), 9 * 1024);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_can_be_made_once_more_is_sent_again_however_long_it_is() {
    let mock = Mock::new();
    mock.any("/").always(Reply::status(500));
    let made = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&made);
    let long = || Body::from(vec![7; 200_000]);
    let rewind = Rewind::new(move || {
        counted.fetch_add(1, Ordering::Relaxed);
        long()
    });
    let mut request = put(long());
    request.extensions_mut().insert(rewind);
    // Nothing of it may be kept.
    let service = steady().replay_memory(0).layer(mock.clone());
    assert_eq!(service.oneshot(request).await.unwrap().status(), 500);
    let entries = mock.log().entries();
    assert_eq!((entries.len(), made.load(Ordering::Relaxed)), (3, 2));
    let whole = entries.iter().map(|entry| entry.body().unwrap());
    assert!(whole.into_iter().all(|body| body.len() == 200_000));
}

#[tokio::test(start_paused = true)]
async fn how_to_make_a_body_of_another_type_is_passed_over() {
    let mock = Mock::new();
    mock.any("/").always(Reply::status(500));
    let mut request = put(Body::from("short"));
    let other = Rewind::new(|| -> Channel<Bytes> { panic!("of another type") });
    request.extensions_mut().insert(other);
    steady().layer(mock.clone()).oneshot(request).await.unwrap();
    assert_eq!(mock.log().entries().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_failing_request_body_is_not_sent_again() {
    let mock = Mock::new();
    mock.any("/").always(Reply::status(200));
    let body = Body::empty().data("half").fail(|| "the file is gone");
    let error = steady()
        .layer(mock.clone())
        .oneshot(put(body))
        .await
        .unwrap_err();
    assert_eq!(error.to_string(), "the file is gone");
    assert_eq!(mock.log().entries().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_bidirectional_call_goes_on_live_after_a_retry() {
    let (mut requests, body) = Channel::<Bytes>::new(8);
    let (responses, mut seen) = mpsc::unbounded_channel();
    let mut attempt = 0;
    let server = service_fn(move |request: Request<ReplayBody<Channel<Bytes>>>| {
        attempt += 1;
        let (refuses, responses) = (attempt == 1, responses.clone());
        async move {
            let mut body = request.into_body();
            if refuses {
                body.frame().await.unwrap()?;
                return Err(Failure::new("refused", Fault::new(Outcome::Unprocessed)).into());
            }
            tokio::spawn(async move {
                while let Some(Ok(frame)) = body.frame().await {
                    responses.send(frame.into_data().unwrap()).unwrap();
                }
                assert!(body.is_end_stream() || body.frame().await.is_none());
            });
            Ok::<_, BoxError>(Response::new(Body::empty()))
        }
    });
    requests.send(Frame::data("hello".into())).await.unwrap();
    let request = Request::post(URI).body(body).unwrap();
    steady().layer(server).oneshot(request).await.unwrap();
    assert_eq!(seen.recv().await.unwrap(), "hello");
    requests.send(Frame::data("again".into())).await.unwrap();
    assert_eq!(seen.recv().await.unwrap(), "again");
    drop(requests);
    assert!(seen.recv().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn an_old_attempt_that_goes_on_reading_gets_nothing_of_the_new_one() {
    let (old, mut olds) = mpsc::unbounded_channel();
    let mut attempt = 0;
    let server = service_fn(move |request: Request<ReplayBody<Body>>| {
        attempt += 1;
        let (first, old) = (attempt == 1, old.clone());
        async move {
            let mut body = request.into_body();
            if first {
                // As hyper does after an early answer: it goes on piping the body.
                tokio::spawn(async move {
                    let end = loop {
                        match body.frame().await {
                            Some(Ok(_)) => {}
                            end => break end,
                        }
                    };
                    old.send(end.map(|end| end.map_err(|error| error.to_string())))
                        .unwrap();
                });
                return Ok::<_, BoxError>(Response::builder().status(503).body(Body::empty())?);
            }
            let whole = body.collect().await?.to_bytes();
            assert_eq!(whole.len(), 40);
            Ok(Response::new(Body::empty()))
        }
    });
    let body = Body::drip(vec![1; 40], 1, millis(100));
    let body = body.pause(millis(1));
    let response = steady().layer(server).oneshot(put(body)).await.unwrap();
    assert_eq!(response.status(), 200);
    let end = olds.recv().await.unwrap();
    assert!(matches!(end, Some(Err(error)) if error == "a later attempt sends this body"));
}

#[tokio::test(start_paused = true)]
async fn hints_are_those_of_the_callers_body() {
    let bodies = [
        Body::empty(),
        Body::from("five!"),
        Body::empty().data("fi").data("ve!"),
        Body::empty().data("five!").trailers(HeaderMap::new()),
        Body::from(vec![0; 100_000]),
    ];
    for body in bodies {
        let (hint, end) = (body.size_hint(), body.is_end_stream());
        let server = service_fn(move |request: Request<ReplayBody<Body>>| async move {
            let body = request.into_body();
            assert_eq!(body.size_hint().exact(), hint.exact());
            assert_eq!(body.size_hint().lower(), hint.lower());
            assert_eq!(body.is_end_stream(), end);
            Err::<Response<Body>, BoxError>(
                Failure::new("reset", Fault::new(Outcome::Ambiguous)).into(),
            )
        });
        let request = Request::builder()
            .method(Method::PUT)
            .uri(URI)
            .body(body)
            .unwrap();
        assert!(steady().layer(server).oneshot(request).await.is_err());
    }
}

#[tokio::test(start_paused = true)]
async fn the_layers_memory_bounds_all_calls_together() {
    let mock = Mock::new();
    mock.any("/").always(failing(Outcome::Unsent));
    let service = steady().replay_memory(1_000).layer(mock.clone());
    let (mut sender, body) = Channel::<Bytes>::new(8);
    sender.send(Frame::data(vec![0; 900].into())).await.unwrap();
    let kept = tokio::spawn(service.clone().oneshot(put(body)));
    tokio::task::yield_now().await;
    let before = mock.log().entries().len();
    assert!(
        service
            .clone()
            .oneshot(put(Body::from(vec![0; 200])))
            .await
            .is_err()
    );
    assert_eq!(mock.log().entries().len() - before, 1, "no room");
    drop(sender);
    assert!(kept.await.unwrap().is_err());
    let before = mock.log().entries().len();
    assert!(
        service
            .oneshot(put(Body::from(vec![0; 200])))
            .await
            .is_err()
    );
    assert_eq!(mock.log().entries().len() - before, 3, "room again");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_kept_for_a_call_that_has_its_answer() {
    let mock = Mock::new();
    mock.post("/").always(failing(Outcome::Unsent));
    let early = steady().replay_memory(1_000).layer(service_fn({
        let mock = mock.clone();
        move |request: Request<ReplayBody<Channel<Bytes>>>| {
            let mock = mock.clone();
            async move {
                if request.method() == Method::POST {
                    return mock.oneshot(request).await;
                }
                let mut body = request.into_body();
                body.frame().await.unwrap()?;
                tokio::spawn(body.collect());
                Ok::<_, BoxError>(Response::new(Body::empty()))
            }
        }
    }));
    let (mut sender, body) = Channel::<Bytes>::new(8);
    sender.send(Frame::data(vec![0; 900].into())).await.unwrap();
    let mut answered = std::pin::pin!(early.clone().call(put(body)));
    (&mut answered).await.unwrap();
    // The future is still there, and so is the upload.
    let (mut other, body) = Channel::<Bytes>::new(8);
    other.send(Frame::data(vec![0; 900].into())).await.unwrap();
    drop(other);
    let post = Request::post(URI).body(body).unwrap();
    assert!(early.oneshot(post).await.is_err());
    assert_eq!(mock.log().entries().len(), 3, "there is room for it");
    drop(sender);
}
