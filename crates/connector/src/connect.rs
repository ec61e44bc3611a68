use std::sync::Weak;

use http::{Extensions, Uri};
use http_body::Body;
use hyper_util::client::legacy::connect::{Connected, Connection};
use outrigger_core::{BoxError, Deadline, Endpoint};
use tokio::time::{Instant, timeout_at};

use crate::dial::Dial;
use crate::head::Forward;
use crate::kernel::{Key, Kind, Watch};
use crate::link::Link;
use crate::settings::Settings;
use crate::shared::Shared;
use crate::socket::{Remote, Socket};
use crate::{ConnectorError, HttpVersion, classify};

/// Opens one connection for the pool, on a task of its own: the calls that wait for it may go, and
/// it is opened all the same.
pub(crate) struct Connect<B, D> {
    pub(crate) shared: Weak<Shared<B, D>>,
    pub(crate) dialer: D,
    pub(crate) settings: Settings,
    pub(crate) endpoint: Endpoint,
    pub(crate) socket: Socket,
    pub(crate) remote: Remote,
}

impl<B, D> Connect<B, D>
where
    B: Body<Data: Send, Error: Into<BoxError>> + Send + Unpin + 'static,
    D: Dial + Clone + Send + 'static,
{
    pub(crate) async fn run(self) {
        let Self {
            shared,
            dialer,
            settings,
            endpoint,
            socket,
            mut remote,
        } = self;
        let key = socket.key();
        let limit = settings.connect_timeout;
        let deadline = Deadline::after(Instant::now(), limit).instant();
        let overdue = |endpoint| classify::connect_timeout(limit).at(Some(endpoint));

        let dialled = timeout_at(deadline, dial(dialer, &endpoint, settings)).await;
        let (io, connected) = match dialled {
            Ok(Ok(dialled)) => dialled,
            Ok(Err(error)) => return socket.fail(error.at(Some(endpoint))),
            Err(_) => return socket.fail(overdue(endpoint)),
        };
        // From here the socket goes down with its I/O, and the pool is told.
        let link = async {
            if is_http2(&connected, &endpoint, settings.http) {
                Link::http2(io, socket, endpoint.clone(), settings.keep_alive).await
            } else {
                Link::http1(io, socket, endpoint.clone(), forward(&connected)).await
            }
        };
        let Ok(Ok(link)) = timeout_at(deadline, link).await else {
            return;
        };
        let kind = link.kind();
        if let Some(shared) = shared.upgrade() {
            shared.connected(key, link);
        }
        if kind == Kind::Http2 {
            // An HTTP/2 server begins with its SETTINGS (RFC 9113 §3.4), and gets no request before:
            // one that does not is no better than one that does not accept.
            if timeout_at(deadline, &mut remote.closed).await.is_ok() {
                return;
            }
            if let Some(shared) = shared.upgrade() {
                shared.overdue(key, overdue(endpoint));
            }
        }
        watch(shared, key, remote).await;
    }
}

/// Looks at a connection from time to time until its socket is closed.
async fn watch<B, D>(shared: Weak<Shared<B, D>>, key: Key, mut remote: Remote)
where
    B: Body<Data: Send, Error: Into<BoxError>> + Send + Unpin + 'static,
    D: Dial + Clone + Send + 'static,
{
    while let Some(shared) = shared.upgrade() {
        let until = match shared.watch(key) {
            Watch::Until(until) => until,
            Watch::Gone => return,
            Watch::Kill => {
                // Where the socket has closed in between, there is nobody to be told.
                let _ = remote.kill.send(());
                return;
            }
        };
        drop(shared);
        if timeout_at(until, &mut remote.closed).await.is_ok() {
            return;
        }
    }
}

/// Opens the transport and checks that its other end speaks what it must.
async fn dial<D: Dial>(
    dialer: D,
    endpoint: &Endpoint,
    settings: Settings,
) -> Result<(D::Io, Connected), ConnectorError> {
    let Settings {
        http,
        connect_timeout: limit,
        ..
    } = settings;
    let uri =
        Uri::try_from(endpoint.as_str()).map_err(|error| classify::dial(error.into(), limit))?;
    let dialled = dialer.dial(uri, http, limit).await;
    let io = dialled.map_err(|error| classify::dial(error, limit))?;
    let connected = io.connected();
    let refused =
        http == HttpVersion::Http2 && endpoint.is_https() && !connected.is_negotiated_h2();
    if refused {
        return Err(classify::not_http2());
    }
    Ok((io, connected))
}

/// How the requests must be written, where a proxy is to send them on.
fn forward(connected: &Connected) -> Option<Forward> {
    let mut extras = Extensions::new();
    connected.get_extras(&mut extras);
    let forward = extras.remove::<Forward>().unwrap_or_default();
    connected.is_proxied().then_some(forward)
}

fn is_http2(connected: &Connected, endpoint: &Endpoint, http: HttpVersion) -> bool {
    match http {
        HttpVersion::Auto => connected.is_negotiated_h2(),
        HttpVersion::Http1 => false,
        HttpVersion::Http2 => true,
        HttpVersion::H2c => connected.is_negotiated_h2() || !endpoint.is_https(),
    }
}
