//! The default stack over real sockets.

use std::collections::HashSet;
use std::net::TcpListener;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use outrigger::connector::{AnyBody, ConnBody, Connector, HttpVersion};
use outrigger::retry::{Exponential, Retries};
use outrigger::timeout::Timeouts;
use outrigger::{
    BoxError, Error, ErrorKind, Layers, Outcome, Phase, ReceivedBody, RequestId, SentBody, Stack,
    stack,
};
use outrigger_testkit::Server;
use outrigger_testkit::upstream::Upstream;
use tower::ServiceExt;
use tower::util::BoxCloneSyncService;

type Body = Full<Bytes>;
type Client = Stack<Connector<SentBody<Body>>>;

fn client() -> Client {
    stack(Connector::new().http(HttpVersion::H2c))
}

/// The default stack, but for shorter pauses.
fn hasty() -> Client {
    let mut layers = Layers::default();
    layers.retry = layers.retry.pauses(Exponential::new(TICK, TICK));
    layers.over(Connector::new().http(HttpVersion::H2c))
}

async fn upstream() -> Server<Upstream> {
    Server::bind(Upstream::new()).await.unwrap()
}

fn get(url: String) -> Request<Body> {
    Request::get(url).body(Body::default()).unwrap()
}

/// Makes the call and reads its answer.
async fn call(client: &Client, request: Request<Body>) -> Result<StatusCode, Error> {
    let response = client.clone().oneshot(request).await?;
    let status = response.status();
    response.into_body().collect().await?;
    Ok(status)
}

const TICK: Duration = Duration::from_millis(1);
const SHORT: Duration = Duration::from_millis(100);

#[tokio::test]
async fn a_call_carries_a_new_id_or_the_callers_own() {
    let (client, upstream) = (client(), upstream().await);
    for _ in 0..2 {
        assert_eq!(call(&client, get(upstream.url("/"))).await.unwrap(), 200);
    }
    let mut request = get(upstream.url("/"));
    request
        .extensions_mut()
        .insert(RequestId::parse("order-17").unwrap());
    call(&client, request).await.unwrap();

    let log = upstream.log().entries();
    let [first, second, own] = [0, 1, 2].map(|n: usize| log[n].request_id().unwrap());
    assert_eq!((first.len(), second.len(), own), (36, 36, "order-17"));
    assert_ne!(first, second);
}

#[tokio::test]
async fn a_get_is_sent_again_under_one_id() {
    let (client, upstream) = (hasty(), upstream().await);
    let request = get(upstream.url("/first/2/status/502/then/status/200"));
    assert_eq!(call(&client, request).await.unwrap(), 200);
    let log = upstream.log().entries();
    let ids: HashSet<_> = log.iter().map(|sent| sent.request_id().unwrap()).collect();
    assert_eq!((log.len(), ids.len()), (3, 1));
}

#[tokio::test]
async fn a_post_that_was_refused_is_sent_again_under_one_key_and_executed_once() {
    let (client, upstream) = (hasty(), upstream().await);
    let url = upstream.url("/first/1/refuse/then/echo");
    let request = Request::post(url).body("17 euros".into()).unwrap();
    assert_eq!(call(&client, request).await.unwrap(), 200);
    let log = upstream.log().entries();
    let [refused, executed] = [0, 1].map(|n: usize| log[n].idempotency_key().unwrap());
    assert_eq!(
        (refused, log.len(), upstream.log().executed().len()),
        (executed, 2, 1)
    );
    assert_eq!(refused.len(), 38, "a quoted uuid: {refused}");
}

#[tokio::test]
async fn a_post_that_may_have_been_executed_is_not_sent_again() {
    let (client, upstream) = (hasty(), upstream().await);
    for path in ["/reset/CANCEL", "/abort", "/close"] {
        upstream.log().clear();
        let request = Request::post(upstream.url(path))
            .body("17 euros".into())
            .unwrap();
        let error = call(&client, request).await.unwrap_err();
        assert_eq!(error.outcome(), Outcome::Ambiguous);
        assert_eq!(upstream.log().executed().len(), 1, "{path}");
    }
}

#[tokio::test]
async fn an_error_tells_each_attempt_that_was_made() {
    let (client, upstream) = (hasty(), upstream().await);
    let error = call(&client, get(upstream.url("/reset/CANCEL")))
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind(), error.attempts().len()),
        (ErrorKind::Transport, 3)
    );
    let [first, second, _] = error.attempts() else {
        panic!("{error:?}");
    };
    assert_eq!(
        (first.outcome(), first.wait()),
        (Outcome::Ambiguous, Duration::ZERO)
    );
    assert_eq!(second.outcome(), Outcome::Ambiguous);
    assert_eq!(upstream.log().executed().len(), 3);
}

#[tokio::test]
async fn each_limit_ends_a_call_and_says_which() {
    let (client, upstream) = (client(), upstream().await);
    let own = Timeouts::new();
    for (path, limits, phase) in [
        ("/silence", own.total(SHORT), Phase::Total),
        ("/silence", own.attempt(SHORT), Phase::Attempt),
        ("/hang/1000", own.body_idle(SHORT), Phase::BodyIdle),
    ] {
        let mut request = get(upstream.url(path));
        request.extensions_mut().insert(limits);
        let error = call(&client, request).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.phase()),
            (ErrorKind::Timeout, Some(phase))
        );
        assert_eq!(error.outcome(), Outcome::Ambiguous, "{path}");
    }
}

#[tokio::test]
async fn a_deadline_that_passes_while_connecting_leaves_the_call_unsent() {
    // Takes the connection and never says a word of TLS.
    let mute = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut request = get(format!("https://{}/", mute.local_addr().unwrap()));
    request
        .extensions_mut()
        .insert(Timeouts::new().total(SHORT));
    let error = call(&client(), request).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.phase()),
        (ErrorKind::Timeout, Some(Phase::Total))
    );
    assert_eq!(error.outcome(), Outcome::Unsent);
}

#[tokio::test]
async fn each_way_to_fail_has_its_kind() {
    let (client, upstream) = (client(), upstream().await);
    let gone = upstream_that_went();
    for (url, kind, outcome) in [
        (gone.await, ErrorKind::Connect, Outcome::Unsent),
        (
            upstream.url("/refuse"),
            ErrorKind::Transport,
            Outcome::Unprocessed,
        ),
        (
            upstream.url("/reset/CANCEL"),
            ErrorKind::Transport,
            Outcome::Ambiguous,
        ),
        (
            upstream.url("/abort"),
            ErrorKind::Transport,
            Outcome::Ambiguous,
        ),
        (
            "ftp://localhost/".to_owned(),
            ErrorKind::Request,
            Outcome::Unsent,
        ),
        (
            "http://localhost:65616/".to_owned(),
            ErrorKind::Request,
            Outcome::Unsent,
        ),
    ] {
        let mut request = get(url.clone());
        request.extensions_mut().insert(Retries::NONE);
        let error = call(&client, request).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.outcome()),
            (kind, outcome),
            "{url}: {error:?}"
        );
        assert_eq!(error.attempts().len(), 1);
    }
}

async fn upstream_that_went() -> String {
    upstream().await.url("/")
}

#[tokio::test]
async fn no_error_tells_a_secret_of_the_request() {
    let (client, upstream) = (client(), upstream().await);
    let canary = "canary-4711";
    for url in [
        upstream.url(&format!("/reset/CANCEL?token={canary}")),
        upstream.url(&format!("/truncate/1000?token={canary}")),
        format!("http://me:{canary}@{}/", upstream.addr()),
        format!("ftp://localhost/{canary}"),
    ] {
        let request = Request::post(url).header("authorization", canary);
        let error = call(&client, request.body(canary.into()).unwrap())
            .await
            .unwrap_err();
        let mut told = format!("{error:?} {error:#?}");
        let mut link: Option<&dyn std::error::Error> = Some(&error);
        while let Some(error) = link {
            told.push_str(&format!(" {error} {error:?}"));
            link = error.source();
        }
        assert!(!told.contains(canary), "{told}");
    }
}

#[tokio::test]
async fn it_fits_where_a_shared_service_is_asked_for() {
    let upstream = upstream().await;
    type Answer = Response<ReceivedBody<ConnBody>>;
    type Shared = BoxCloneSyncService<Request<Body>, Answer, Error>;
    let shared = Shared::new(client());
    let calls = (0..8).map(|_| tokio::spawn(shared.clone().oneshot(get(upstream.url("/")))));
    for call in calls.collect::<Vec<_>>() {
        assert_eq!(call.await.unwrap().unwrap().status(), 200);
    }
    assert_eq!(upstream.connections(), 1);
}

#[tokio::test]
async fn calls_with_bodies_of_any_kind_are_spawned() {
    let upstream = upstream().await;
    let client = stack(Connector::<SentBody<AnyBody>>::new().http(HttpVersion::H2c));
    for body in [AnyBody::default(), AnyBody::new(Body::from("hello"))] {
        let request = Request::post(upstream.url("/echo")).body(body).unwrap();
        let client = client.clone();
        let call = tokio::spawn(async move { client.oneshot(request).await.unwrap().status() });
        assert_eq!(call.await.unwrap(), 200);
    }
}

#[tokio::test]
async fn a_body_error_becomes_an_error_of_the_same_kinds() {
    let (client, upstream) = (client(), upstream().await);
    let response = client
        .oneshot(get(upstream.url("/truncate/1000")))
        .await
        .unwrap();
    let broken: BoxError = response.into_body().collect().await.unwrap_err();
    assert_eq!(Error::from(broken).kind(), ErrorKind::Transport);
}
