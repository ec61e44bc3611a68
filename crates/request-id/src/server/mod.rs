//! The server's side: what came in is handed on to the calls that its handler makes.

mod future;
mod layer;
mod patience;
mod service;

pub use self::future::InboundFuture;
pub use self::layer::InboundLayer;
pub use self::service::InboundService;
