//! Adapters of Mangrove that stand on a database, a bundler or a child process. Heavy parts stand behind Cargo
//! features, so that a service that wants the catalog alone does not compile a bundler.
//!
//! # Taking one part alone
//!
//! A program that only shows what a repository's catalog holds needs the domain and one feature of this crate:
//!
//! ```toml
//! [dependencies]
//! mangrove-domain = { git = "https://github.com/mangrove-runtime/mangrove" }
//! mangrove-infra = { git = "https://github.com/mangrove-runtime/mangrove", default-features = false, features = ["sqlite"] }
//! ```
//!
//! ```
//! use mangrove_domain::ports::Catalog as _;
//! use mangrove_infra::catalog::{OpenMode, SqliteCatalog};
//!
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! # let repository = tempfile::tempdir()?;
//! # let repository = repository.path();
//! let path = repository.join(".mangrove/catalog.db");
//! let opened = SqliteCatalog::open(&path, OpenMode::ReadOnly).await?;
//! let view = opened.catalog.snapshot().await?;
//! for row in view.rows.iter().filter(|row| row.is_resolvable()) {
//!     println!("{:?} from {}", row.type_name(), row.source);
//! }
//! assert!(view.rows.is_empty(), "nothing was ever scanned here");
//! assert!(!path.exists(), "a reader makes no file");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | feature | brings | and with it |
//! |---|---|---|
//! | `sqlite` | `catalog`, `runs`, `data`, `databases` | sqlx |
//! | `postgres` | `postgres`: the catalog, the history of runs and claims of schedules on a server; with `sqlite` also `shared_runs` | sqlx, rustls |
//! | `documents` | `documents`: YAML and JSON with positions | granit-parser |
//! | `expressions` | `expressions`: the values of `${{ … }}` | cel |
//! | `schema` | `schema`: JSON Schema | jsonschema |
//! | `calendar` | `calendar`: when schedules are due | croner, chrono, chrono-tz |
//! | `bundler` | `bundler`, `worker`, `attempt_cache`, `extension_packages`: bundling, parsing and inspecting in child processes | rolldown, oxc, QuickJS, reqwest |
//! | `deno` | `runner`, `runtime`: running methods in Deno, and getting it | what `bundler` brings |
//! | `vaults` | `vaults`: secrets in encrypted files | ring |
//! | `s3` | `store::s3`: bundles in a bucket | `object_store`, reqwest |
//! | `watcher` | `watcher`: changes of files as they happen | notify |
//!
//! [`state_directory`], [`store`], [`seals`], [`shell`], [`system`] and [`no_packages`] are always there. `examples/embedding` puts the
//! light ones together to a program of its own.

#![cfg_attr(not(test), warn(clippy::disallowed_methods))]
#![expect(clippy::module_name_repetitions, reason = "adapters are named after the port that they serve")]

#[cfg(feature = "bundler")]
pub mod attempt_cache;
#[cfg(feature = "bundler")]
pub mod bundler;
#[cfg(feature = "calendar")]
pub mod calendar;
#[cfg(feature = "sqlite")]
pub mod catalog;
#[cfg(feature = "sqlite")]
pub mod data;
#[cfg(feature = "sqlite")]
pub mod databases;
#[cfg(feature = "documents")]
pub mod documents;
#[cfg(feature = "expressions")]
pub mod expressions;
#[cfg(feature = "bundler")]
pub mod extension_packages;
pub mod last_good;
pub mod no_packages;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod persistence;
#[cfg(feature = "postgres")]
pub mod postgres;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod rows;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod run_records;
#[cfg(feature = "deno")]
pub mod runner;
#[cfg(feature = "sqlite")]
pub mod runs;
#[cfg(feature = "deno")]
pub mod runtime;
#[cfg(feature = "schema")]
pub mod schema;
pub mod seals;
#[cfg(all(feature = "postgres", feature = "sqlite"))]
pub mod shared_runs;
pub mod shell;
mod shell_watch;
#[cfg(feature = "sqlite")]
pub mod sqlite;
pub mod state_directory;
pub mod store;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod stored;
pub mod system;
#[cfg(feature = "vaults")]
pub mod vaults;
#[cfg(feature = "watcher")]
pub mod watcher;
#[cfg(feature = "bundler")]
pub mod web;
#[cfg(feature = "bundler")]
pub mod worker;
