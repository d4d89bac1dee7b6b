//! Connections to an `SQLite` file: what every one of them is set to, and how many there are.

use std::{path::Path, time::Duration};

use sqlx::{
    Connection as _, SqlitePool,
    sqlite::{SqliteConnectOptions, SqlitePoolOptions},
};

use super::{BusyPolicy, Layout};

/// The pages that a connection keeps for itself, in KiB. Each of them fills with time, also where nobody reads a page twice; what
/// is read again soon the system still has.
const CACHE_KIBIBYTES: u32 = 256;

/// How every connection is opened; further pragmas belong here.
pub(super) fn connect_options(path: &Path, layout: &Layout, busy: BusyPolicy) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .busy_timeout(busy.busy_timeout)
        .synchronous(layout.synchronous)
        .foreign_keys(true)
        // Negative: KiB, not pages.
        .pragma("cache_size", format!("-{CACHE_KIBIBYTES}"))
}

pub(super) fn writer_pool(options: SqliteConnectOptions) -> SqlitePool {
    pool(1).connect_lazy_with(options)
}

pub(super) fn reader_pool(options: SqliteConnectOptions) -> SqlitePool {
    pool(4).connect_lazy_with(options)
}

pub(super) fn pool(connections: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .max_connections(connections)
        .idle_timeout(None)
        .max_lifetime(None)
        .acquire_timeout(Duration::from_mins(1))
        // A transaction whose rollback failed, such as one that SQLite itself rolled back because the disk was full,
        // leaves a connection that takes no other. It makes way for a new one.
        .before_acquire(|connection, _| Box::pin(async { Ok(!connection.is_in_transaction()) }))
}
