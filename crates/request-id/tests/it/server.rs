use axum::extract::State;
use axum::routing::get;
use axum::{Extension, Router};
use http::{HeaderName, Request};
use http_body_util::BodyExt;
use outrigger_core::inbound;
use outrigger_request_id::{
    InboundLayer, RequestId, RequestIdLayer, RequestIdService, X_REQUEST_ID,
};
use outrigger_testkit::Reply;
use outrigger_testkit::mock::Mock;
use tower::{Layer, ServiceExt};

type Client = RequestIdService<Mock>;

const TIMEOUT_MS: HeaderName = HeaderName::from_static("x-timeout-ms");

/// Asks two upstreams at once.
async fn handler(State(client): State<Client>, Extension(id): Extension<RequestId>) -> String {
    assert!(inbound::deadline().is_some());
    let ask = |path| {
        let request = Request::get(format!("http://up.test{path}")).body(String::new());
        client.clone().oneshot(request.unwrap())
    };
    let (stock, price) = tokio::join!(ask("/stock"), ask("/price"));
    format!(
        "{id} {} {}",
        stock.unwrap().status(),
        price.unwrap().status()
    )
}

#[tokio::test]
async fn an_axum_handlers_calls_carry_the_id_of_its_request() {
    let upstream = Mock::new();
    upstream.get("/stock").always(Reply::status(200));
    upstream.get("/price").always(Reply::status(204));
    let app = Router::new()
        .route("/offer", get(handler))
        .layer(InboundLayer::new().deadline_header(TIMEOUT_MS).echo(true))
        .with_state(RequestIdLayer::new().layer(upstream.clone()));

    let request = Request::get("/offer")
        .header(X_REQUEST_ID, "order-17")
        .header(TIMEOUT_MS, "1500")
        .body(axum::body::Body::empty());
    let answer = app.oneshot(request.unwrap()).await.unwrap();
    assert_eq!(answer.headers()[X_REQUEST_ID], "order-17");
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body, "order-17 200 OK 204 No Content");

    let received = upstream.log().entries();
    assert_eq!(received.len(), 2);
    for request in received {
        assert_eq!(request.head().headers[X_REQUEST_ID], "order-17");
    }
}
