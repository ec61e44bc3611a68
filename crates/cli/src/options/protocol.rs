use clap::ValueEnum;

/// The version of HTTP to speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Protocol {
    /// ALPN on https, HTTP/1.1 on http
    Auto,
    /// HTTP/1.1
    #[value(name = "1")]
    One,
    /// HTTP/2 by ALPN on https
    #[value(name = "2")]
    Two,
    /// HTTP/2 on http, by prior knowledge
    H2c,
}
