//! Adapters of Mangrove: everything that touches the world. Heavy parts stand behind Cargo features, so
//! that a service that wants the catalog alone does not compile a bundler.

#![expect(clippy::module_name_repetitions, reason = "adapters are named after the port that they serve")]

#[cfg(any(feature = "bundler-embedded", feature = "engine-quickjs"))]
mod builtin_modules;
#[cfg(feature = "bundler-embedded")]
pub mod bundler;
#[cfg(feature = "sqlite")]
pub mod catalog;
#[cfg(feature = "sqlite")]
pub mod data;
#[cfg(feature = "sqlite")]
pub mod databases;
#[cfg(feature = "documents")]
pub mod documents;
#[cfg(feature = "engine-quickjs")]
pub mod engine;
#[cfg(feature = "documents")]
pub mod expressions;
pub mod faults;
pub mod files;
#[cfg(feature = "worker")]
pub mod inspection_cache;
pub mod json_text;
#[cfg(feature = "npm")]
pub mod npm;
#[cfg(feature = "runner-deno")]
pub mod runner;
#[cfg(feature = "sqlite")]
pub mod runs;
#[cfg(feature = "bundler-deno")]
pub mod runtime;
#[cfg(feature = "documents")]
pub mod schema;
pub mod seals;
#[cfg(feature = "sources")]
pub mod sources;
#[cfg(feature = "sqlite")]
pub mod sqlite;
#[cfg(any(feature = "sources", feature = "sqlite"))]
mod stamp;
pub mod store;
pub mod system;
#[cfg(feature = "worker")]
pub mod worker;
