//! What the caller can wish for one call, in the request's extensions.

/// In a request's extensions: to execute this request twice has the same effect as once, whatever
/// its method says (RFC 9110 §9.2.2). It may then be sent again even if it was perhaps processed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Idempotent;

/// In a request's extensions: how many retries this call may have, whatever the layer allows.
///
/// ```
/// use outrigger_retry::Retries;
///
/// let mut request = http::Request::get("http://a.example/").body(())?;
/// request.extensions_mut().insert(Retries::NONE);
/// # Ok::<_, http::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Retries(u32);

impl Retries {
    /// One attempt and no more.
    pub const NONE: Self = Self(0);

    /// At most this many retries after the first attempt.
    pub const fn at_most(retries: u32) -> Self {
        Self(retries)
    }

    /// How many attempts that makes.
    pub(crate) const fn attempts(self) -> u32 {
        self.0.saturating_add(1)
    }
}
