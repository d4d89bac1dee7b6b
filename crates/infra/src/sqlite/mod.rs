//! What the catalog and the run history share: opening, checking, setting aside and writing an `SQLite` file.
//!
//! The rules are explained in `design/catalog.md`. In short: WAL is switched on once, under a file lock, and
//! then only checked; one connection writes, a few read; every write is a transaction that begins as a
//! writer; a busy file is waited for, and then tried again, a bounded number of times; a damaged file is set
//! aside under another name; a file of a newer version is refused and left as it is.

mod connections;
mod database;
mod error;
mod files;
mod lock;
mod log;
pub(crate) mod migrations;
mod open;
mod set_aside;
#[cfg(test)]
mod tests;

use sqlx::sqlite::SqliteSynchronous;

use crate::persistence::LayoutStep;
pub use crate::persistence::{BusyPolicy, OpenMode};

pub(crate) use database::{Database, meta};
pub(crate) use error::{SqliteError, failed, is_unique_violation};
pub(crate) use lock::lock_setup;
pub(crate) use open::open;
pub(crate) use set_aside::{REPLACED, forget_replaced, place_aside, replace};

/// Which file it is and what it must look like.
pub(crate) struct Layout {
    /// The version that this program writes and reads; `meta.layout` in the file.
    pub(crate) version: i64,
    /// The earliest version that it reads as it is, without bringing the file up to date: for commands that only look,
    /// also while another process is at it.
    pub(crate) readable_from: i64,
    /// How to get there.
    pub(crate) steps: &'static [LayoutStep],
    /// When the operating system is told to write through.
    pub(crate) synchronous: SqliteSynchronous,
    /// The tables and indexes that it must have; a file without one of them is damaged.
    pub(crate) objects: &'static [&'static str],
    /// Those that it must have from a later layout on.
    pub(crate) later_objects: &'static [(i64, &'static str)],
    /// A query that reads every page that matters, to meet damage at open and not in the middle of work.
    pub(crate) probe: &'static str,
}
