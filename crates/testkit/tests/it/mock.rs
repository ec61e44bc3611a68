use std::{io, panic::catch_unwind, time::Duration};

use http::{Method, Request, StatusCode};
use http_body_util::BodyExt;
use outrigger_testkit::{
    Body, BoxError, Exhausted, Reply,
    mock::{Mock, Outcome, Unmatched},
};
use tokio::time::{Instant, timeout};
use tower::ServiceExt;

async fn send(mock: &Mock, method: Method, path: &str) -> Result<http::Response<Body>, BoxError> {
    let request = Request::builder()
        .method(method)
        .uri(format!("http://mock.test{path}"));
    mock.clone()
        .oneshot(request.body(Body::empty()).unwrap())
        .await
}

async fn status(mock: &Mock, method: Method, path: &str) -> StatusCode {
    send(mock, method, path).await.unwrap().status()
}

/// Returns the sentence with which the mock fails its test.
fn complaint(mock: &Mock) -> Option<String> {
    let mock = mock.clone();
    let panic = catch_unwind(move || mock.assert_satisfied()).err()?;
    panic.downcast_ref::<String>().cloned()
}

fn assert_send_sync<T: Send + Sync + Clone>(_: &T) {}

#[tokio::test]
async fn a_request_goes_to_the_first_route_that_takes_it() {
    let mock = Mock::new();
    assert_send_sync(&mock);
    mock.get("/a").always(Reply::status(201));
    mock.post("/a").always(Reply::status(202));
    mock.any("/b/*").always(Reply::status(203));
    mock.any("*").always(Reply::status(404));

    assert_eq!(status(&mock, Method::GET, "/a?query=1").await, 201);
    assert_eq!(status(&mock, Method::POST, "/a").await, 202);
    assert_eq!(status(&mock, Method::DELETE, "/b/c/d").await, 203);
    assert_eq!(status(&mock, Method::GET, "/aa").await, 404);
    assert_eq!(status(&mock, Method::PUT, "/a").await, 404);
    mock.assert_satisfied();
}

#[tokio::test]
async fn headers_and_conditions_narrow_a_route() {
    let mock = Mock::new();
    let keyed = mock
        .post("/")
        .header("idempotency-key", "k1")
        .when(|head| head.uri.query() == Some("v=2"));
    let other = mock.post("/").always(Reply::status(400));
    let ask = |key: &str, path: &str| {
        let request =
            Request::post(format!("http://mock.test{path}")).header("idempotency-key", key);
        mock.clone().oneshot(request.body(Body::empty()).unwrap())
    };

    assert_eq!(
        ask("k1", "/?v=2").await.unwrap().status(),
        200,
        "a route without outcomes answers 200"
    );
    assert_eq!(ask("k1", "/").await.unwrap().status(), 400);
    assert_eq!(ask("k2", "/?v=2").await.unwrap().status(), 400);
    assert_eq!((keyed.calls(), other.calls()), (1, 2));
}

#[tokio::test]
async fn a_request_that_no_route_takes_is_a_clear_error_and_fails_the_test() {
    let mock = Mock::new();
    mock.get("/a");

    let error = send(&mock, Method::POST, "/a").await.unwrap_err();

    assert!(error.is::<Unmatched>());
    assert_eq!(
        error.to_string(),
        r#"no route of the mock takes POST /a; it has ["GET /a"]"#
    );
    assert!(complaint(&mock).unwrap().contains("POST /a"));
    assert_eq!(mock.log().len(), 1, "logged all the same");
}

#[tokio::test]
async fn outcomes_come_in_turn_and_run_out() {
    let mock = Mock::new();
    let route = mock
        .get("/")
        .times(2, Reply::status(503))
        .times(1, Reply::status(200));

    for expected in [503, 503, 200] {
        assert_eq!(status(&mock, Method::GET, "/").await, expected);
    }

    let error = send(&mock, Method::GET, "/").await.unwrap_err();
    assert!(error.is::<Exhausted>());
    assert_eq!(
        error.to_string(),
        "GET / has no outcome scripted for call 4"
    );
    assert_eq!(route.calls(), 4);
}

#[tokio::test]
async fn an_expectation_that_is_not_met_fails_the_test() {
    let mock = Mock::new();
    mock.get("/").expect(2);
    assert!(
        complaint(&mock)
            .unwrap()
            .contains("GET / was called 0 times, not 2")
    );
    for _ in 0..2 {
        status(&mock, Method::GET, "/").await;
    }
    assert_eq!(complaint(&mock), None);
    status(&mock, Method::GET, "/").await;
    assert!(complaint(&mock).unwrap().contains("called 3 times"));
}

#[tokio::test]
async fn a_reply_has_status_headers_and_body() {
    let mock = Mock::new();
    let reply = Reply::status(429)
        .header("retry-after", "1")
        .header("retry-after", "2")
        .body("slow down");
    mock.get("/").always(reply);

    let response = send(&mock, Method::GET, "/").await.unwrap();

    assert_eq!(response.status(), 429);
    assert_eq!(response.headers().get_all("retry-after").iter().count(), 2);
    assert_eq!(
        response.into_body().collect().await.unwrap().to_bytes(),
        "slow down"
    );
}

#[tokio::test(start_paused = true)]
async fn delays_follow_the_paused_clock() {
    let mock = Mock::new();
    let second = Duration::from_secs(1);
    mock.get("/late").always(Reply::status(200).after(second));
    mock.get("/fails")
        .always(Outcome::error(|| io::Error::from(io::ErrorKind::TimedOut)).after(second));
    mock.get("/never").always(Outcome::never());

    let began = Instant::now();
    assert_eq!(status(&mock, Method::GET, "/late").await, 200);
    assert_eq!(began.elapsed(), second);
    let error = send(&mock, Method::GET, "/fails").await.unwrap_err();
    assert_eq!(
        error.downcast_ref::<io::Error>().unwrap().kind(),
        io::ErrorKind::TimedOut
    );
    assert_eq!(began.elapsed(), second * 2);
    assert!(
        timeout(second * 1000, send(&mock, Method::GET, "/never"))
            .await
            .is_err()
    );
}

#[tokio::test]
async fn a_closure_sees_the_whole_request_and_so_does_the_log() {
    let mock = Mock::new();
    mock.post("/echo").always(Outcome::with(|request| {
        Reply::status(200).body(request.into_body())
    }));
    let mut request = Request::post("http://mock.test/echo")
        .body(Body::from("one").data("two"))
        .unwrap();
    request.extensions_mut().insert(7_u8);

    let response = mock.clone().oneshot(request).await.unwrap();

    assert_eq!(
        response.into_body().collect().await.unwrap().to_bytes(),
        "onetwo"
    );
    let [received] = &mock.log().entries()[..] else {
        panic!("{:?}", mock.log())
    };
    assert_eq!(received.body().unwrap(), "onetwo");
    assert_eq!(received.head().extensions.get(), Some(&7_u8));
    assert_eq!(received.head().uri, "http://mock.test/echo");
}

#[tokio::test]
async fn a_call_counts_although_its_future_is_never_polled() {
    let mock = Mock::new();
    let route = mock.get("/");
    let mut service = mock.clone();
    let request = Request::get("http://mock.test/")
        .body(Body::empty())
        .unwrap();

    drop(tower::Service::call(&mut service, request));

    assert_eq!(route.calls(), 1);
    assert_eq!(mock.log().entries()[0].body(), None);
}

#[tokio::test]
async fn a_broken_request_body_is_the_error_of_the_call() {
    let mock = Mock::new();
    mock.post("/");
    let request = Request::post("http://mock.test/")
        .body(Body::from("half").fail(|| "source gone"))
        .unwrap();

    let error = mock.clone().oneshot(request).await.unwrap_err();

    assert_eq!(error.to_string(), "source gone");
}
