/// The versions of HTTP that a connector speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HttpVersion {
    /// What the server chooses by ALPN on `https`; HTTP/1.1 on `http`.
    #[default]
    Auto,
    /// HTTP/1.1 only.
    Http1,
    /// HTTP/2 only: on `https` a server that does not choose it by ALPN is refused, on `http` it is
    /// spoken without asking (prior knowledge, RFC 9113 §3.3).
    Http2,
    /// What the server chooses by ALPN on `https`; HTTP/2 on `http`, without asking.
    H2c,
}

impl HttpVersion {
    /// Whether `http` endpoints are spoken to in HTTP/2 without asking.
    pub(crate) fn is_http2_without_asking(self) -> bool {
        matches!(self, Self::Http2 | Self::H2c)
    }
}
