//! What each way to fail means for the request. The whole table stands here; each row has a test
//! over real sockets in `tests/it/error_table.rs`.

use std::error::Error;
use std::io;
use std::time::Duration;

use outrigger_core::{
    Blame, BoxError, Elapsed, Failure, Fault, Outcome, Phase, Rejected, find, left_out,
};

use crate::kernel::BadUri;
use crate::proxy::ProxyError;
use crate::tls;
use crate::{ConnectorError, ErrorKind};

const UNSENT: Fault = Fault::new(Outcome::Unsent);
const UNPROCESSED: Fault = Fault::new(Outcome::Unprocessed);
const AMBIGUOUS: Fault = Fault::new(Outcome::Ambiguous);

/// The request cannot be sent anywhere.
pub(crate) fn request(error: BadUri) -> ConnectorError {
    let fault = UNSENT.blame(Blame::Caller).without_retry();
    ConnectorError::new(ErrorKind::Request, fault, error)
}

/// The dialer failed. Nothing was sent; for the rest, a dialer that speaks the layers' words is
/// believed, and what TLS refuses is final. An attempt that the system has given up took too long.
pub(crate) fn dial(error: BoxError, limit: Duration) -> ConnectorError {
    if let Some(proxy) = find::<ProxyError>(&*error) {
        let mut fault = proxy.fault();
        fault.retry &= !tls::refused(proxy);
        return ConnectorError::new(ErrorKind::Proxy, fault, error);
    }
    if tls::refused(&*error) {
        return ConnectorError::new(ErrorKind::Tls, UNSENT.without_retry(), error);
    }
    if find::<io::Error>(&*error).is_some_and(|io| io.kind() == io::ErrorKind::TimedOut) {
        return connect_timeout(limit);
    }
    let mut fault = UNSENT;
    if speaks(&*error) {
        fault = Fault::of(&*error);
        fault.outcome = Outcome::Unsent;
    }
    ConnectorError::new(ErrorKind::Connect, fault, error)
}

/// The peer does not speak the version of HTTP that it must.
pub(crate) fn not_http2() -> ConnectorError {
    let error = "the server did not agree on http/2";
    ConnectorError::new(ErrorKind::Tls, UNSENT.without_retry(), error)
}

/// A connection closed before it carried a call.
pub(crate) fn closed_unused() -> ConnectorError {
    let error = "the server closed the connection before it took a request";
    ConnectorError::new(ErrorKind::Connect, UNSENT, error)
}

/// Connecting took too long.
pub(crate) fn connect_timeout(limit: Duration) -> ConnectorError {
    let elapsed = Elapsed::new(Phase::Connect, limit);
    ConnectorError::elapsed(ErrorKind::ConnectTimeout, elapsed)
}

/// There was no place on a connection in time.
pub(crate) fn acquire_timeout(limit: Duration) -> ConnectorError {
    let elapsed = Elapsed::new(Phase::Acquire, limit);
    ConnectorError::elapsed(ErrorKind::AcquireTimeout, elapsed)
}

/// Too many calls wait already.
pub(crate) fn queue_full() -> ConnectorError {
    let rejected = Rejected::new("connector");
    ConnectorError::said(ErrorKind::QueueFull, Fault::of(&rejected), rejected)
}

/// The request came back unsent as often as it may, the last time with this error.
pub(crate) fn returned(error: hyper::Error) -> ConnectorError {
    ConnectorError::new(ErrorKind::Unsent, UNSENT, error)
}

/// The request was handed to a connection and there is no answer. `callers` is the error of the
/// caller's own body, where that is what ended it.
pub(crate) fn exchange(error: hyper::Error, callers: Option<BoxError>) -> ConnectorError {
    if let Some(error) = callers {
        return request_body(error);
    }
    // The halves of its connection have taken turns: what hyper says of a GOAWAY is true.
    let fault = match left_out(&error) {
        true => UNPROCESSED,
        false => Fault::of(&error),
    };
    let kind = match (fault.outcome, fault.blame) {
        (Outcome::Unsent, _) => ErrorKind::Unsent,
        (Outcome::Unprocessed, _) => ErrorKind::Unprocessed,
        (_, Blame::Caller) => ErrorKind::Request,
        _ => ErrorKind::Broken,
    };
    ConnectorError::new(kind, fault, error)
}

/// The answer's head is there and its body broke off: whatever the error says, the request was
/// processed far enough for a head.
pub(crate) fn response_body(error: hyper::Error, callers: Option<BoxError>) -> ConnectorError {
    match callers {
        Some(error) => request_body(error),
        None => ConnectorError::new(ErrorKind::ResponseBody, AMBIGUOUS, error),
    }
}

/// The caller's own body failed: some of it was sent, and sending it again fails again.
fn request_body(error: BoxError) -> ConnectorError {
    let fault = AMBIGUOUS.blame(Blame::Caller).without_retry();
    ConnectorError::new(ErrorKind::RequestBody, fault, error)
}

fn speaks(error: &(dyn Error + 'static)) -> bool {
    find::<Failure>(error).is_some()
        || find::<Rejected>(error).is_some()
        || find::<Elapsed>(error).is_some()
}
