//! So many calls at a time.

mod error;
mod future;
mod gate;
mod handle;
mod layer;
mod permit;
mod service;
mod wait;

pub use self::error::Saturated;
pub use self::future::ConcurrencyFuture;
pub use self::handle::{ConcurrencyHandle, Occupancy};
pub use self::layer::ConcurrencyLayer;
pub use self::permit::{ConcurrencyBody, Permit};
pub use self::service::ConcurrencyService;
