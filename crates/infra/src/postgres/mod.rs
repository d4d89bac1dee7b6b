//! Databases on a PostgreSQL server, for several machines that share them (`design/scale.md`).
//!
//! In short: connections are made when they are needed and looked after by a pool; every operation is one transaction that is
//! made again while the server is not there, for as long as patience lasts; what has to be in order is held by the server;
//! tables are made and changed by whoever may, one at a time.

mod address;
mod catalog;
#[cfg(feature = "sqlite")]
mod databases;
mod error;
mod migrations;
mod runs;
mod server;
mod setup;
mod tables;
mod text;

pub use crate::persistence::{BusyPolicy, OpenMode};
pub use crate::rows::CACHED_ATTEMPTS;
pub use address::{Address, AddressError};
pub use catalog::PostgresCatalog;
#[cfg(feature = "sqlite")]
pub use databases::PostgresDatabases;
pub(crate) use error::PostgresError;
pub use runs::PostgresRuns;
#[cfg(feature = "sqlite")]
pub(crate) use runs::RunEnd;
