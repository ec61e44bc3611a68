//! A service that calls URLs which its users name: webhooks, previews, imports. Whatever a name resolves
//! to, and however often it changes its mind, nothing of the own network is ever dialled.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use hyper_util::client::legacy::connect::dns::Name;
use outrigger::connector::{Connector, HttpVersion};
use outrigger::{BoxError, ErrorKind};
use outrigger_testkit::Server;
use outrigger_testkit::upstream::Upstream;
use tower::{ServiceExt, service_fn};

/// Whom users may make us talk to.
fn is_public(address: &SocketAddr) -> bool {
    match address.ip() {
        // The loopback stands for the internet here: a service would leave `is_loopback` out as well.
        IpAddr::V4(ip) => !(ip.is_private() || ip.is_link_local() || ip.is_unspecified()),
        IpAddr::V6(_) => false,
    }
}

/// A name server that a user controls: its first answer is harmless, the next ones are not.
async fn resolve(name: Name) -> Result<std::iter::Once<SocketAddr>, BoxError> {
    static CHANGED: AtomicBool = AtomicBool::new(false);
    let ip = match name.as_str() {
        "hooks.example" if CHANGED.swap(true, Ordering::Relaxed) => Ipv4Addr::new(10, 0, 0, 1),
        "hooks.example" => Ipv4Addr::LOCALHOST,
        literal => literal.parse()?,
    };
    Ok(std::iter::once((ip, 0).into()))
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let server = Server::bind(Upstream::new()).await?;
    let port = server.addr().port();

    // In earnest: `GaiResolver::new()`, which asks the system, in place of `service_fn(resolve)`.
    let resolver = service_fn(resolve).map_response(|addresses| addresses.filter(is_public));
    let call = async |url: String| {
        // A connection that is open already asks for no address: each call has a pool of its own.
        let connector = Connector::new().http(HttpVersion::H2c);
        let client = outrigger::stack(connector.resolver(resolver.clone()));
        client
            .oneshot(Request::post(url).body(Full::<Bytes>::default())?)
            .await
            .map_err(BoxError::from)
    };

    let hook = format!("http://hooks.example:{port}/");
    assert_eq!(call(hook.clone()).await?.status(), 200);

    let metadata = "http://169.254.169.254/latest/meta-data/".to_owned();
    for url in [hook, metadata] {
        let refused = call(url).await.map(drop).err().ok_or("let through")?;
        let error = outrigger::Error::from(refused);
        assert_eq!(error.kind(), ErrorKind::Connect);
        assert_eq!(error.attempts().len(), 1, "it is not tried again");
    }
    assert_eq!(server.log().executed().len(), 1);
    Ok(())
}
