//! The options that every command which sends requests has in common.

mod backoff;
mod count;
mod key;
mod layers;
mod protocol;
mod rate;
mod span;

use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;

use clap::Args;
use outrigger::connector::Connector;
use outrigger::retry::RetryLayer;
use outrigger::timeout::{DeadlineLayer, TimeoutLayer};

pub(crate) use self::backoff::Backoff;
pub(crate) use self::count::count;
pub(crate) use self::key::Key;
pub(crate) use self::protocol::Protocol;
pub(crate) use self::rate::Rate;
pub(crate) use self::span::Span;

/// As they stand on the command line. Defaults are the layers' own.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// Attempts per call, the first included
    #[arg(long, value_name = "N", default_value_t = RetryLayer::DEFAULT_ATTEMPTS)]
    pub(crate) attempts: u32,

    /// Longest pause before the first retry, and before any [default: 50ms..20s, after 429 and 503
    /// 1s..20s]
    #[arg(long, value_name = "FIRST..ANY")]
    pub(crate) backoff: Option<Backoff>,

    /// Limit of the whole call until the head of the response: waiting, attempts, pauses
    #[arg(long, value_name = "TIME", default_value_t = Span(DeadlineLayer::DEFAULT_TOTAL))]
    pub(crate) timeout: Span,

    /// Limit of one attempt, until the head of the response
    #[arg(long, value_name = "TIME", default_value_t = Span(TimeoutLayer::DEFAULT_LIMIT))]
    pub(crate) attempt_timeout: Span,

    /// Limit of name resolution, connection and handshakes
    #[arg(long, value_name = "TIME", default_value_t = Span(Connector::DEFAULT_CONNECT_TIMEOUT))]
    pub(crate) connect_timeout: Span,

    /// Longest pause within the response body
    #[arg(long, value_name = "TIME", default_value_t = Span(TimeoutLayer::DEFAULT_BODY_IDLE))]
    pub(crate) body_idle: Span,

    /// Longest pause in which the transport takes nothing of the request body
    #[arg(long, value_name = "TIME", default_value_t = Span(TimeoutLayer::DEFAULT_WRITE_IDLE))]
    pub(crate) write_idle: Span,

    /// Most attempts in a span of time to each endpoint, as in 100/s, 600/m or 5000/h; each waits for
    /// its turn as long as --timeout allows
    #[arg(long, value_name = "N/UNIT")]
    pub(crate) rate: Option<Rate>,

    /// Attempts that may go at once before the rate holds [default: 1]
    #[arg(long, value_name = "N", requires = "rate", value_parser = count::<NonZeroU32>)]
    pub(crate) burst: Option<NonZeroU32>,

    /// Most connections at a time [default: 4]
    #[arg(long, value_name = "N", value_parser = count::<NonZeroUsize>)]
    pub(crate) max_connections: Option<NonZeroUsize>,

    /// Consecutive failures after which the circuit opens [default: 5 of fewer than 20 calls in 10 s,
    /// or half of more; a burst must be worse]
    #[arg(long, value_name = "N", value_parser = count::<NonZeroU32>)]
    pub(crate) breaker_failures: Option<NonZeroU32>,

    /// Without a circuit breaker
    #[arg(long, conflicts_with = "breaker_failures")]
    pub(crate) no_breaker: bool,

    /// One attempt only
    #[arg(long, conflicts_with_all = ["attempts", "backoff"])]
    pub(crate) no_retry: bool,

    /// Without a rate limit, as by default
    #[arg(long, conflicts_with_all = ["rate", "burst"])]
    pub(crate) no_rate_limit: bool,

    /// The idempotency key of POST and PATCH: auto, none, or the key itself
    #[arg(long, value_name = "auto|none|VALUE", default_value = "auto")]
    pub(crate) idempotency_key: Key,

    /// The server is known to honour the key, so that a POST may be sent again
    #[arg(long)]
    pub(crate) server_honours_key: bool,

    /// The version of HTTP
    #[arg(long, value_enum, default_value = "auto")]
    pub(crate) http: Protocol,

    /// Certificates of authorities to trust besides the system's, as PEM
    #[arg(long, value_name = "FILE")]
    pub(crate) cacert: Option<PathBuf>,

    /// The client's own certificate chain, as PEM
    #[arg(long, value_name = "FILE", requires = "key")]
    pub(crate) cert: Option<PathBuf>,

    /// The private key of --cert, as PEM
    #[arg(long, value_name = "FILE", requires = "cert")]
    pub(crate) key: Option<PathBuf>,

    /// The proxy to go through, by http, https, socks5 or socks5h [default: what HTTP_PROXY,
    /// HTTPS_PROXY, ALL_PROXY and NO_PROXY say]
    #[arg(long, value_name = "URL", conflicts_with = "no_proxy")]
    pub(crate) proxy: Option<String>,

    /// Without a proxy, whatever the environment says
    #[arg(long)]
    pub(crate) no_proxy: bool,

    /// The request id to send instead of a new one
    #[arg(long, value_name = "VALUE")]
    pub(crate) request_id: Option<String>,

    /// Write what happened as JSON; `-` is standard output, in place of the body
    #[arg(long, value_name = "FILE.json|-")]
    pub(crate) report: Option<PathBuf>,
}
