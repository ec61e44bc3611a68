//! The one door, from outside.

mod error;
