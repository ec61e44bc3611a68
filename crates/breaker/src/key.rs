use std::any::type_name;
use std::fmt;

use http::Request;

/// Which circuit a call goes by.
pub trait Key<B> {
    /// What a key is made of.
    type Bytes: AsRef<[u8]>;

    /// The key of a call; `None` where its endpoint is the key.
    fn of(&self, request: &Request<B>) -> Option<Self::Bytes>;
}

/// Calls go by the circuit of their endpoint, or all by one.
#[derive(Clone, Copy, Debug, Default)]
pub struct ByEndpoint(());

impl ByEndpoint {
    pub(crate) const fn new() -> Self {
        Self(())
    }
}

impl<B> Key<B> for ByEndpoint {
    type Bytes = [u8; 0];

    #[inline]
    fn of(&self, _: &Request<B>) -> Option<Self::Bytes> {
        None
    }
}

/// Calls go by the circuit of the key that a function gives them.
#[derive(Clone, Copy)]
pub struct ByKey<F>(pub(crate) F);

impl<F, T, B> Key<B> for ByKey<F>
where
    F: Fn(&Request<B>) -> T,
    T: AsRef<[u8]>,
{
    type Bytes = T;

    fn of(&self, request: &Request<B>) -> Option<T> {
        Some((self.0)(request))
    }
}

impl<F> fmt::Debug for ByKey<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ByKey").field(&type_name::<F>()).finish()
    }
}
