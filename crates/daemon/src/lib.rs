//! The daemon: keeps the catalog of a repository up to date, runs workflows on a schedule, answers over HTTP.
//!
//! It stands on [`mangrove_app::service::Service`] and names no adapter: no database, bundler or engine is in its manifest.

#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

pub mod http;
