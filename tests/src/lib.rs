//! What the tests of the whole workspace share.

/// A gRPC service with one method of each kind, generated from `proto/echo.proto`.
#[allow(clippy::all, clippy::clone_on_ref_ptr, missing_docs)]
pub mod echo {
    tonic::include_proto!("outrigger.echo");
}

/// The layer of CONTRIBUTING's recipe, as it stands there.
pub mod recipe {
    include!(concat!(env!("OUT_DIR"), "/recipe.rs"));
}

/// The pages whose examples are tested.
#[cfg(doctest)]
mod pages {
    #[doc = include_str!("../../CONTRIBUTING.md")]
    struct Contributing;

    #[doc = include_str!("../../docs/breakers-and-limits.md")]
    struct BreakersAndLimits;

    #[doc = include_str!("../../docs/retrying-safely.md")]
    struct RetryingSafely;
}
