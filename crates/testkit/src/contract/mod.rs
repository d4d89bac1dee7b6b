//! Contract suites: one per port, run by the fake and by every adapter.
//!
//! Each suite is an async function that takes a factory; every case asks it for a fresh, empty instance:
//!
//! ```text
//! contract::catalog::run(async || MemoryCatalog::new().for_many_writers()).await;
//! ```

mod attempt_cache;
mod build_leases;
mod build_locks;
pub mod bundle_store;
mod bundler;
mod calendar;
pub mod catalog;
mod configuration;
pub mod data_store;
mod databases;
mod definition_files;
mod documents;
mod drivers;
mod export_inspector;
mod expressions;
mod following_sessions;
mod last_good_workflows;
pub mod loader;
mod method_runner;
mod method_runner_fetch;
mod repository_files;
pub mod run_store;
mod schedule_leases;
mod schema_validator;
mod seals;
mod shell;
pub mod two_processes;
mod vault;
mod watcher;
pub use attempt_cache::attempt_cache;
pub use build_leases::build_leases;
pub use build_locks::build_locks;
pub use bundler::bundler;
pub use calendar::calendar;
pub use configuration::configuration;
pub use databases::{DatabasesSetup, databases};
pub use definition_files::definition_files;
pub use documents::documents;
pub use export_inspector::export_inspector;
pub use expressions::expressions;
pub use following_sessions::kept_modules;
pub use last_good_workflows::last_good_workflows;
pub use method_runner::method_runner;
pub use method_runner_fetch::method_runner_fetch;
pub use repository_files::{REPOSITORY_FILES, repository_files};
pub use schedule_leases::schedule_leases;
pub use schema_validator::schema_validator;
pub use seals::seals;
pub use shell::shell;
pub use two_processes::leases_of_two_processes;
pub use vault::vault;
pub use watcher::watcher;
