use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use http::{HeaderValue, Request, Response, header::CONNECTION};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;

use super::{
    Upstream,
    action::Action,
    flushed::Flushed,
    gate::{Control, Gate},
    ledger::Ledger,
};
use crate::{BoxError, Transport, raw::Code};

/// Serves an HTTP/1 connection until it ends.
pub(super) async fn serve(upstream: Upstream, transport: Transport, connection: usize) {
    let control = Arc::new(Control::default());
    let io = TokioIo::new(Gate::new(transport, Arc::clone(&control)));
    let requests = AtomicU32::new(0);
    let service = service_fn(|request: Request<Incoming>| {
        let ordinal = requests.fetch_add(1, Ordering::Relaxed) + 1;
        answer(&upstream, request, connection, ordinal, &control)
    });
    // An error is how the connection was told to end, or the client's end of it.
    let _ = http1::Builder::new().serve_connection(io, service).await;
}

/// Answers a request; an error ends the connection without an answer.
async fn answer(
    upstream: &Upstream,
    request: Request<Incoming>,
    connection: usize,
    ordinal: u32,
    control: &Control,
) -> Result<Response<Flushed>, BoxError> {
    match upstream
        .act(request, connection, ordinal, &Ledger::default())
        .await?
    {
        Action::Answer(response) => Ok(response.map(Flushed::new)),
        Action::Drain(mut response) => {
            response
                .headers_mut()
                .insert(CONNECTION, HeaderValue::from_static("close"));
            Ok(response.map(Flushed::new))
        }
        Action::Goaway(_) | Action::Close | Action::Reset(Code::REFUSED_STREAM) => {
            Err("closed".into())
        }
        Action::Abort | Action::Reset(_) => {
            control.reset();
            Err("reset".into())
        }
    }
}
