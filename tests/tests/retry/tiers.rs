//! axum services that call one another, each with retries of its own.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use outrigger_connector::{Connector, HttpVersion};
use outrigger_retry::{Budgets, ReplayBody, RetryLayer, RetryService};
use outrigger_testkit::upstream::{Behaviour, Upstream};
use outrigger_testkit::{Reply, Server};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tower::{Layer, ServiceExt};

use crate::short;

type Client = RetryService<Connector<ReplayBody<Body>>>;

/// What each tier calls the next one with.
fn client(budgets: Option<Budgets>) -> Client {
    let mut layer = RetryLayer::new().pauses(short()).throttled_pauses(short());
    if let Some(budgets) = budgets {
        layer = layer.budget(budgets);
    }
    layer.layer(Connector::new().http(HttpVersion::H2c))
}

/// Hands an inbound request on to the next tier, its body as it comes, and its answer back.
async fn forward(
    State((client, next)): State<(Client, String)>,
    inbound: Request<Body>,
) -> Response<Body> {
    let (head, body) = inbound.into_parts();
    let outbound = Request::builder().method(head.method).uri(next);
    let answer = client.oneshot(outbound.body(body).unwrap()).await;
    answer.map_or_else(
        |_| {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::BAD_GATEWAY;
            response
        },
        |answer| answer.map(Body::new),
    )
}

/// A tier before the next one; its URL.
async fn tier(client: Client, next: String) -> String {
    let app = Router::new().fallback(forward).with_state((client, next));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    url
}

/// Makes so many calls through two tiers to one that always answers 503; how many arrive there.
async fn arrivals(calls: usize, budgets: Option<Budgets>) -> usize {
    let upstream = Upstream::new();
    upstream.any("/").always(Reply::status(503));
    let bottom = Server::bind(upstream).await.unwrap();
    let middle = tier(client(budgets.clone()), bottom.url("/")).await;
    let top = tier(client(budgets.clone()), middle).await;
    let client = client(budgets);
    let mut callers = JoinSet::new();
    for _ in 0..10 {
        let (client, top) = (client.clone(), top.clone());
        callers.spawn(async move {
            for _ in 0..calls / 10 {
                let request = Request::get(&top).body(Body::empty()).unwrap();
                let answer = client.clone().oneshot(request).await.unwrap();
                assert_eq!(answer.status(), 503);
            }
        });
    }
    callers.join_all().await;
    bottom.log().len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn retries_of_three_tiers_do_not_multiply() {
    let unpaid = arrivals(10, Some(Budgets::unlimited())).await;
    assert_eq!(unpaid, 10 * 27, "what it is about");
    let paid = arrivals(3_000, None).await;
    assert!(paid <= 3_300, "{paid}");
}

#[tokio::test]
async fn a_handler_forwards_a_body_while_it_comes_and_sends_it_again() {
    let upstream = Upstream::new();
    let route = upstream.post("/");
    route
        .times(1, Behaviour::refuse())
        .always(Behaviour::echo());
    let server = Server::bind(upstream).await.unwrap();
    let gateway = tier(client(None), server.url("/")).await;
    let body = outrigger_testkit::Body::drip(vec![7; 1_000], 100, Duration::from_millis(5));
    let request = Request::post(gateway).body(body).unwrap();
    let answer = Connector::new()
        .http(HttpVersion::H2c)
        .oneshot(request)
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
    let whole: Bytes = answer.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(whole, vec![7; 1_000]);
    assert_eq!(server.log().len(), 2);
}
