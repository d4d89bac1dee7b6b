//! What the databases have in common, whichever engine they are kept by: how they are opened, how long they are waited
//! for, and the steps from each layout to the next one.

mod patience;
mod steps;

use std::time::Duration;

pub(crate) use patience::Patience;
#[cfg(test)]
pub(crate) use steps::assert_is_folder;
pub(crate) use steps::{LayoutStep, migrator};

/// How a database is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OpenMode {
    /// Created and migrated; a file is set aside if it is damaged.
    ReadWrite,
    /// Never created, changed or set aside. One that is not there reads as an empty one.
    ReadOnly,
}

/// How long a busy database is waited for: so many attempts of so long a time, all operations of a process together, until
/// one of them gets through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BusyPolicy {
    /// How long is waited for a lock, or for a connection to a server, within one attempt.
    pub busy_timeout: Duration,
    /// Attempts before `Busy` is reported, at least 1.
    pub attempts: u32,
}

/// Four attempts of five seconds.
impl Default for BusyPolicy {
    fn default() -> Self {
        Self { busy_timeout: Duration::from_secs(5), attempts: 4 }
    }
}
