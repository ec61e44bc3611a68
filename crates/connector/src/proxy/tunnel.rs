use http::header::{HOST, HeaderValue, PROXY_AUTHORIZATION};
use http::{Request, StatusCode};
use hyper::client::conn::http1;
use hyper::rt::{Read, Write};
use hyper::upgrade::{self, Upgraded};
use tokio::task::JoinSet;

use super::ProxyError;

/// Asks the HTTP proxy at the other end of `io` for a tunnel to `target`, a host and a port (RFC 9110
/// §9.3.6).
///
/// It is a request of hyper's like any other: bytes that come through the tunnel right behind the
/// proxy's answer, as the SETTINGS of an HTTP/2 server may, are not lost.
pub(crate) async fn tunnel<T>(
    io: T,
    target: &str,
    authorization: Option<&HeaderValue>,
) -> Result<Upgraded, ProxyError>
where
    T: Read + Write + Unpin + Send + 'static,
{
    let broken =
        |error: hyper::Error| ProxyError::passing("did not answer as one does").with_source(error);
    let request = connect(target, authorization).map_err(|error| {
        ProxyError::lasting("cannot be told where to connect").with_source(error)
    })?;
    let (mut sender, connection) = http1::handshake(io).await.map_err(broken)?;
    // Dropped with this future: a proxy that says nothing is left.
    let mut tasks = JoinSet::new();
    tasks.spawn(connection.with_upgrades());
    let response = sender.send_request(request).await.map_err(broken)?;
    match response.status() {
        status if status.is_success() => upgrade::on(response).await.map_err(broken),
        status => Err(refused(status)),
    }
}

fn connect(
    target: &str,
    authorization: Option<&HeaderValue>,
) -> Result<Request<String>, http::Error> {
    let mut request = Request::connect(target)
        .header(HOST, target)
        .body(String::new())?;
    if let Some(authorization) = authorization.cloned() {
        let headers = request.headers_mut();
        headers.insert(PROXY_AUTHORIZATION, authorization);
    }
    Ok(request)
}

/// What the proxy means by a status: its 4xx are about us, its 5xx about the way.
fn refused(status: StatusCode) -> ProxyError {
    let passing = status.is_server_error()
        || status == StatusCode::REQUEST_TIMEOUT
        || status == StatusCode::TOO_MANY_REQUESTS;
    match status {
        StatusCode::PROXY_AUTHENTICATION_REQUIRED => {
            ProxyError::lasting("wants other credentials (407)")
        }
        _ if passing => ProxyError::passing(format!("opened no tunnel ({})", status.as_u16())),
        _ => ProxyError::lasting(format!("refused the tunnel ({})", status.as_u16())),
    }
}
