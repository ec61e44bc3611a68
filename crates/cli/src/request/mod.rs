//! The request that a command line describes.

mod args;
mod build;
mod encode;
mod upload;

pub(crate) use self::args::RequestArgs;
pub(crate) use self::upload::{RequestBody, text};
