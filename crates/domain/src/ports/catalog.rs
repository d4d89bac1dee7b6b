//! What is remembered between scans.

use std::collections::BTreeSet;

use async_trait::async_trait;

use crate::{
    description::Description,
    digest::Digest,
    failure::Fault,
    observation::CatalogView,
    row::Row,
    settle::{AuditRecord, Transition},
    source::{Kind, RelativePath, SourceId},
    time::Timestamp,
    type_name::TypeName,
};

/// The rows, their descriptions and their history.
///
/// Implementations MUST apply a [`Commit`] in one transaction; MUST refuse a change whose expected revision is
/// not the row's (I9) and report it without failing the others; MUST delete tombstoned rows in the transaction
/// that records them (I4); MUST hold I2 by an index; MUST NOT store a `Bundled` row. Rows are keyed by (root,
/// relative path). Contract: `testkit::contract::catalog`.
#[cfg_attr(feature = "mocks", mockall::automock)]
#[async_trait]
pub trait Catalog: Send + Sync {
    /// What tells this catalog from every other one, whatever its place; a bundle store remembers whose it is by it.
    /// `None` while nothing was ever written (a reader of an empty place).
    async fn identity(&self) -> Result<Option<String>, CatalogError>;

    /// All rows.
    async fn snapshot(&self) -> Result<CatalogView, CatalogError>;

    /// The rows of these sources, as a [`snapshot`](Self::snapshot) of the same moment would have them; what it costs
    /// grows with their number, not with that of all rows. Sources without a row are left out.
    async fn rows(&self, sources: &BTreeSet<SourceId>) -> Result<CatalogView, CatalogError>;

    /// As [`rows`](Self::rows), the rows that go by one of these names.
    async fn rows_named(&self, names: &Names) -> Result<CatalogView, CatalogError>;

    /// Names the content of the catalog without reading it, for a caller that still has what it concluded from it: a
    /// mark that is the same means that no row was written since, by anybody. `None` where that is not known.
    ///
    /// A mark that was given before a commit MUST NOT be given after it.
    async fn mark(&self) -> Option<Digest>;

    /// Waits until somebody may have written a row, as far as that is told: never, where nobody tells. Whoever needs to know
    /// asks for the [`mark`](Self::mark) now and then all the same. Dropping it loses nothing.
    async fn changed(&self) {
        std::future::pending::<()>().await;
    }

    /// Applies one batch.
    async fn commit(&self, commit: Commit) -> Result<CommitOutcome, CatalogError>;

    /// The description that a row names; `None` if no row ever named it, or if what is stored is not what was committed.
    /// The next commit that carries it stores it again.
    async fn description(&self, digest: Digest) -> Result<Option<Description>, CatalogError>;

    /// The history of one source, oldest first.
    async fn transitions(&self, source: &SourceId) -> Result<Vec<AuditRecord>, CatalogError>;

    /// The history of all sources, newest first: at most `limit` transitions, of those with a number below `before` if
    /// that is given. Numbers grow with time; that of a transition never changes.
    async fn history(&self, before: Option<u64>, limit: u32) -> Result<Vec<NumberedRecord>, CatalogError>;

    /// The sources whose row had or claimed this type when it was deleted, sorted. Those that have a row again are left
    /// out.
    async fn departed(&self, kind: &Kind, type_name: &TypeName) -> Result<Vec<SourceId>, CatalogError>;

    /// Forgets the transitions that happened before this time, but for the latest one of each source. Gives how many.
    async fn forget_history(&self, before: Timestamp) -> Result<u64, CatalogError>;
}

/// What rows and sources go by, for whoever does not know which ones there are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// Those that have or claim one of these types, whatever their kind and state.
    pub types: BTreeSet<TypeName>,
    /// Those at one of these paths, below whatever root.
    pub paths: BTreeSet<RelativePath>,
}

impl Names {
    /// True if nothing goes by any of them.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.types.is_empty() && self.paths.is_empty()
    }

    /// True for what lies at one of the paths, or has or claims one of the types.
    #[must_use]
    pub fn is_one(&self, path: &RelativePath, type_name: Option<&TypeName>) -> bool {
        self.paths.contains(path) || type_name.is_some_and(|name| self.types.contains(name))
    }
}

/// A transition with its number in the history of all sources.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NumberedRecord {
    /// From 1; later ones have higher numbers.
    pub number: u64,
    /// What happened.
    pub record: AuditRecord,
}

/// One batch of changes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Commit {
    /// The changes; losers of a claim come before its winner.
    pub changes: Vec<Change>,
    /// Descriptions that the rows name.
    pub descriptions: Vec<Description>,
}

/// One change of one row.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// Which row.
    pub source: SourceId,
    /// The revision that it must have now; 0 if it must not exist.
    pub expected_revision: u64,
    /// What to do.
    pub write: Write,
    /// The audit line, if the state changed.
    pub transition: Option<Transition>,
}

/// What happens to a row.
#[derive(Clone, Debug, PartialEq)]
pub enum Write {
    /// Written as given, with the next revision.
    Put(Box<Row>),
    /// Deleted.
    Delete,
}

/// What a commit did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommitOutcome {
    /// Rows that somebody else changed meanwhile; nothing was written for them.
    pub conflicts: Vec<SourceId>,
    /// The revisions of the rows that were put, in the order of the changes.
    pub revisions: Vec<(SourceId, u64)>,
    /// The [version](CatalogView::version) of the rows right before this commit: whoever knows another one does not know
    /// what others have committed since.
    pub version_before: Option<Digest>,
    /// The version of the rows that this commit left.
    pub version: Option<Digest>,
}

/// The catalog failed.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// Others hold the lock for longer than our patience.
    #[error("the catalog is locked by another process: {fault}")]
    Busy {
        /// What came back.
        fault: Fault,
    },
    /// The server that keeps it does not answer for longer than our patience.
    #[error("{fault}")]
    Unreachable {
        /// What came back.
        fault: Fault,
    },
    /// A newer version wrote it; it is left untouched.
    #[error("{fault}")]
    Newer {
        /// Both versions.
        fault: Fault,
    },
    /// A row cannot be understood; the others can.
    #[error("row {source_id} cannot be read: {fault}")]
    Row {
        /// Which one.
        source_id: String,
        /// In what way.
        fault: Fault,
    },
    /// Anything else: the file, the disk, the engine.
    #[error("cannot {operation} the catalog: {fault}")]
    Access {
        /// What was being done.
        operation: &'static str,
        /// What came back, with the path.
        fault: Fault,
    },
}

impl CatalogError {
    /// The fault behind it.
    #[must_use]
    pub const fn fault(&self) -> &Fault {
        match self {
            CatalogError::Busy { fault }
            | CatalogError::Unreachable { fault }
            | CatalogError::Newer { fault }
            | CatalogError::Row { fault, .. }
            | CatalogError::Access { fault, .. } => fault,
        }
    }
}
