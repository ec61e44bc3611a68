use http::HeaderMap;

/// The head of a request as it came over the wire.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Request {
    /// The ordinal of its connection; the first one is 1.
    pub connection: usize,
    /// Its stream: 1, 3, 5 …
    pub stream: u32,
    /// `:method`
    pub method: String,
    /// `:scheme`
    pub scheme: String,
    /// `:authority`
    pub authority: String,
    /// `:path`, with the query
    pub path: String,
    /// The other header fields.
    pub headers: HeaderMap,
    /// Whether the request has no body.
    pub end_stream: bool,
}
