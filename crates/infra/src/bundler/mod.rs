//! The embedded bundler.

pub mod vendor;
