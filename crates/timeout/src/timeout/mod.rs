mod attempt;
mod future;

mod layer;
mod limits;
mod service;
mod upload;

pub use self::future::TimeoutFuture;
pub use self::layer::TimeoutLayer;
pub use self::service::TimeoutService;
