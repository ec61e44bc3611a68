pub(crate) mod http1;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use outrigger_connector::{ConnBody, Connector, ConnectorError, HttpVersion};
use tower::ServiceExt;

pub(crate) type Body = Full<Bytes>;

pub(crate) fn h2c() -> Connector<Body> {
    Connector::new().http(HttpVersion::H2c)
}

pub(crate) fn get(url: impl AsRef<str>) -> Request<Body> {
    Request::get(url.as_ref()).body(Body::default()).unwrap()
}

pub(crate) async fn send(
    connector: &Connector<Body>,
    request: Request<Body>,
) -> Result<Response<ConnBody>, ConnectorError> {
    connector.clone().oneshot(request).await
}

pub(crate) async fn read(response: Response<ConnBody>) -> Bytes {
    response.into_body().collect().await.unwrap().to_bytes()
}
