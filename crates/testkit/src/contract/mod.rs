//! Contract suites: one per port, run by the fake and by every adapter.
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
