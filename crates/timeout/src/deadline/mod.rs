mod future;
mod layer;
mod service;
mod total;

pub use self::future::DeadlineFuture;
pub use self::layer::DeadlineLayer;
pub use self::service::DeadlineService;
