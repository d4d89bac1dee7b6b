//! The databases of a repository.

use crate::failure::Fault;

/// A database that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatabaseFault {
    /// Which one.
    pub database: Database,
    /// Why.
    pub fault: Fault,
    /// True if it can be opened, and what is wrong was found only by reading all of it.
    pub opens: bool,
}

/// A database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Database {
    /// Rows, descriptions and their history.
    Catalog,
    /// The history of runs.
    Runs,
}

impl Database {
    /// The name of its file in the state directory.
    #[must_use]
    pub const fn file_name(self) -> &'static str {
        match self {
            Database::Catalog => "catalog.db",
            Database::Runs => "runs.db",
        }
    }
}
