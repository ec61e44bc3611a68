//! An axum service whose handler calls another service. The inbound request's id and what is left of
//! its time go along, and the handler mentions neither.

use std::time::Duration;

use axum::Router;
use axum::routing::get;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use outrigger::BoxError;
use outrigger::connector::Connector;
use outrigger::request_id::{InboundLayer, RequestIdLayer, X_REQUEST_ID};
use outrigger::timeout::{DeadlineLayer, TimeoutLayer};
use tokio::net::TcpListener;
use tower::{ServiceBuilder, ServiceExt};

/// How long the caller will wait, in milliseconds: a header that these services have agreed on.
const TIMEOUT_MS: HeaderName = HeaderName::from_static("x-timeout-ms");

/// The service that is called tells what it was told.
async fn stock(headers: HeaderMap) -> String {
    let told = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let (id, left) = (told(X_REQUEST_ID), told(TIMEOUT_MS));
    format!("{} {}", id.unwrap_or("-"), left.unwrap_or("-"))
}

/// Serves on a free port of the loopback and returns the URL.
async fn serve(app: Router) -> Result<String, BoxError> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/", listener.local_addr()?);
    tokio::spawn(async move { axum::serve(listener, app).await });
    Ok(url)
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let stock = serve(Router::new().route("/", get(stock))).await?;

    let client = ServiceBuilder::new()
        .layer(RequestIdLayer::new())
        .layer(DeadlineLayer::new(Duration::from_secs(30)))
        .layer(TimeoutLayer::new(Duration::from_secs(10)).header(TIMEOUT_MS))
        .service(Connector::new());

    let ask_stock = async move || {
        let request = Request::get(stock).body(Full::<Bytes>::default())?;
        let answer = client.oneshot(request).await?.into_body().collect().await?;
        Ok::<_, BoxError>(answer.to_bytes())
    };
    let handler = async move || ask_stock().await.map_err(|_| StatusCode::BAD_GATEWAY);
    let inbound = InboundLayer::new().deadline_header(TIMEOUT_MS).echo(true);
    let shop = serve(Router::new().route("/", get(handler)).layer(inbound)).await?;

    // The caller names its request and gives it five seconds: both reach the second service.
    let request = Request::get(shop)
        .header(X_REQUEST_ID, "order-17")
        .header(TIMEOUT_MS, "5000")
        .body(Full::<Bytes>::default())?;
    let answer = Connector::new().oneshot(request).await?;
    assert_eq!(answer.headers()[X_REQUEST_ID], "order-17");
    let told = answer.into_body().collect().await?.to_bytes();
    let left = str::from_utf8(&told)?
        .strip_prefix("order-17 ")
        .ok_or("another id")?;
    assert!((1..=5_000).contains(&left.parse::<u32>()?));
    Ok(())
}
