//! What the tests of the whole workspace share: the generated echo service.

/// A gRPC service with one method of each kind, generated from `proto/echo.proto`.
#[allow(clippy::all, clippy::clone_on_ref_ptr, missing_docs)]
pub mod echo {
    tonic::include_proto!("outrigger.echo");
}
