//! Adapters of Mangrove that stand on a database, a bundler or a child process. Heavy parts stand behind Cargo
//! features, so that a service that wants the catalog alone does not compile a bundler.

#![expect(clippy::module_name_repetitions, reason = "adapters are named after the port that they serve")]

#[cfg(feature = "bundler")]
pub mod bundler;
#[cfg(feature = "sqlite")]
pub mod catalog;
#[cfg(feature = "sqlite")]
pub mod data;
#[cfg(feature = "documents")]
pub mod documents;
#[cfg(feature = "expressions")]
pub mod expressions;
#[cfg(feature = "bundler")]
pub mod inspection_cache;
#[cfg(feature = "deno")]
pub mod runner;
#[cfg(feature = "sqlite")]
pub mod runs;
#[cfg(feature = "deno")]
pub mod runtime;
#[cfg(feature = "schema")]
pub mod schema;
pub mod seals;
#[cfg(feature = "sqlite")]
pub mod sqlite;
pub mod store;
pub mod system;
#[cfg(feature = "bundler")]
pub mod worker;
