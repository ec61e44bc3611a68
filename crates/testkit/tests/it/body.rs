use std::{io, time::Duration};

use http::HeaderMap;
use http_body::Body as _;
use http_body_util::BodyExt;
use outrigger_testkit::Body;
use tokio::time::{Instant, timeout};

const PAUSE: Duration = Duration::from_secs(1);

fn trailers() -> HeaderMap {
    HeaderMap::from_iter([(http::header::ETAG, http::HeaderValue::from_static("1"))])
}

#[tokio::test(start_paused = true)]
async fn a_drip_comes_in_pieces_with_pauses_between() {
    let began = Instant::now();
    let mut body = Body::drip("abcdefg", 3, PAUSE);

    for (piece, at) in [("abc", 0), ("def", 1), ("g", 2)] {
        assert_eq!(
            body.frame().await.unwrap().unwrap().into_data().unwrap(),
            piece
        );
        assert_eq!(began.elapsed(), PAUSE * at);
    }
    assert!(body.is_end_stream());
    assert!(body.frame().await.is_none());
}

#[tokio::test]
async fn trailers_come_last() {
    let body = Body::from("abc").trailers(trailers()).data("never seen");

    let collected = body.collect().await.unwrap();

    assert_eq!(collected.trailers(), Some(&trailers()));
    assert_eq!(collected.to_bytes(), "abc");
}

#[tokio::test]
async fn a_failing_body_gives_its_own_error_and_ends() {
    let mut body = Body::from("abc")
        .fail(|| io::Error::from(io::ErrorKind::ConnectionReset))
        .data("never seen");
    body.frame().await.unwrap().unwrap();

    let error = body.frame().await.unwrap().unwrap_err();

    assert_eq!(
        error.downcast_ref::<io::Error>().unwrap().kind(),
        io::ErrorKind::ConnectionReset
    );
    assert!(body.frame().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_hanging_body_never_ends() {
    let mut body = Body::from("abc").hang();
    body.frame().await.unwrap().unwrap();

    for _ in 0..2 {
        assert!(timeout(PAUSE, body.frame()).await.is_err());
    }
    assert!(!body.is_end_stream());
}

#[tokio::test(start_paused = true)]
async fn a_body_that_pauses_last_is_not_at_its_end_before() {
    let mut body = Body::empty().pause(PAUSE);

    assert!(timeout(PAUSE / 2, body.frame()).await.is_err());
    assert!(!body.is_end_stream());
    assert!(body.frame().await.is_none());
    assert!(body.is_end_stream());
}

#[test]
fn the_size_is_known_only_where_it_may_become_a_content_length() {
    let exact = |body: Body| body.size_hint().exact();
    assert_eq!(exact(Body::empty()), Some(0));
    assert_eq!(exact(Body::from("")), Some(0));
    assert_eq!(exact(Body::drip("abcd", 2, PAUSE)), Some(4));
    assert_eq!(exact(Body::from("abcd").trailers(trailers())), None);
    assert_eq!(exact(Body::from("abcd").fail(|| "cut")), None);
    assert_eq!(exact(Body::from("abcd").hang()), None);
    assert_eq!(Body::from("abcd").hang().size_hint().lower(), 4);
    assert!(Body::from("").is_end_stream());
}

#[tokio::test(start_paused = true)]
async fn a_clone_comes_whole() {
    let body = Body::drip("abcd", 2, PAUSE);
    let clone = body.clone();

    for body in [body, clone] {
        assert_eq!(body.collect().await.unwrap().to_bytes(), "abcd");
    }
}
