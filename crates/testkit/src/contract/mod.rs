//! Contract suites: one per port, run by the fake and by every adapter.

mod documents;
mod expressions;
mod schema_validator;

pub use documents::documents;
pub use expressions::expressions;
pub use schema_validator::schema_validator;
mod export_inspector;
mod method_runner;

pub use export_inspector::export_inspector;
pub use method_runner::method_runner;
//!
//! Each suite is an async function that takes a factory; every case asks it for a fresh, empty instance:
//!
//! ```text
//! contract::catalog::run(async || MemoryCatalog::new().for_many_writers()).await;
//! ```

pub mod bundle_store;
pub mod catalog;
pub mod data_store;
pub mod run_store;
