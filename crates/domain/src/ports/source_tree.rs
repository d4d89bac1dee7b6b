//! Finding sources and what they import.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use async_trait::async_trait;

use super::Names;
use crate::{
    checkout::Checkout,
    digest::Digest,
    drift::Drift,
    failure::Fault,
    kind_layout::KindLayout,
    manifest::ExtensionManifest,
    module_graph::{ModuleGraph, SourceFile},
    source::SourceId,
    survey::{Edits, Survey},
    type_name::TypeName,
    watch::WatchList,
    workflow::WorkflowFiles,
};

/// The files of a repository and its other roots: discovery, digests and module graphs.
///
/// Implementations MUST follow the discovery rules of `design/discovery.md` for every origin; MUST NOT
/// open a file or list a directory whose stat equals the remembered one, except the racy ones; MUST report
/// what cannot be read as data; MUST give entries and problems in an order that does not depend on threads.
/// The adapter is held to it by `crates/infra/tests/sources`.
#[cfg_attr(feature = "mocks", mockall::automock)]
#[async_trait]
pub trait SourceTree: Send + Sync {
    /// Looks at everything in scope. Packages and bundler parts are not known here: the observations'
    /// `packages` and `bundler` parts are left as the empty [`Part`](crate::fingerprint::Part), to be filled by the caller from
    /// [`SurveyedEntry::specifiers`](crate::survey::SurveyedEntry::specifiers).
    async fn survey(&self, request: &ObserveRequest) -> Result<Survey, ObserveError>;

    /// The modules at these paths of the file system, where nothing else may have changed since the latest survey of this process than
    /// the text of these. Files that came and went between two looks are nothing. `None` if a survey has to say what changed.
    async fn modules_at(
        &self,
        _kinds: &[KindLayout],
        _paths: &BTreeSet<PathBuf>,
    ) -> Result<Option<BTreeSet<SourceId>>, ObserveError> {
        Ok(None)
    }

    /// What a survey would say of these entries, if nothing has changed since the latest one but the text of these modules:
    /// observations and what they need, in the order of the entries. `None` if a survey has to say it: a module exports
    /// something else, or is an entry that is not among these.
    async fn survey_edits(&self, _edits: &Edits) -> Result<Option<Survey>, ObserveError> {
        Ok(None)
    }

    /// The module graph of one entry with the bytes of its files, read now. `None` if the entry cannot be
    /// read. The caller compares the digests with those it observed.
    async fn graph(&self, source: &SourceId) -> Result<Option<ModuleGraph>, ObserveError>;

    /// The line of an export in the text of a source as it is now, from 1; `None` if it has none of that name.
    async fn export_line(&self, source: &SourceId, name: &str) -> Result<Option<u32>, ObserveError>;

    /// One file of a root with its bytes, read now; `None` if it is not there, cannot be read or lies outside the root.
    async fn file(&self, source: &SourceId) -> Result<Option<SourceFile>, ObserveError>;

    /// The source that a file of the file system is, by its absolute path: in the innermost root around it. Symbolic
    /// links are followed to its directory; one that is itself a link is meant under its own name, and it need not be
    /// there. `None` if no root holds its directory.
    async fn source_of(&self, file: &Path) -> Result<Option<SourceId>, ObserveError>;

    /// What the manifest that a source belongs to says, read now: the nearest one above it that can be used. `None` if there
    /// is none, or no such root.
    async fn manifest(&self, source: &SourceId) -> Result<Option<ExtensionManifest>, ObserveError>;

    /// The workflows that source mounts and pulled extensions bring, read now: those of mounts first, in the order of
    /// the roots, then by path. The repository's own are data files of its ([`RepositoryFiles`]).
    ///
    /// [`RepositoryFiles`]: super::RepositoryFiles
    async fn workflows(&self) -> Result<WorkflowFiles, ObserveError>;

    /// The places on which the latest survey rests, of this process or an earlier one: where a change may give another
    /// outcome. Empty before the first.
    async fn looked_at(&self) -> WatchList;

    /// What the latest survey was made from, of this process or an earlier one: files and their digests, and the commit that the
    /// repository is at now. No files before the first.
    async fn checkout(&self) -> Checkout {
        Checkout::default()
    }

    /// From now on, what a survey saw may be written down while its caller goes on already: for a process that surveys again
    /// and again, and is there until that is done. Whatever is asked of the tree meanwhile is answered as if it had been. Such
    /// a survey has no mark.
    fn expect_more_surveys(&self) {}

    /// How pulled extensions differ from what the lockfile says of them, sorted. Reads every file of theirs that has a
    /// checksum; remembers nothing.
    async fn drift(&self) -> Result<Vec<Drift>, ObserveError>;
}

/// What to look at.
#[derive(Clone, Debug, Default)]
pub struct ObserveRequest {
    /// The kinds to look for, with what the loaders say of them.
    pub kinds: Vec<KindLayout>,
    /// Read every file, whatever its stat says.
    pub rehash: bool,
    /// Only these sources (and what they import), and those that go by `named`; everything if both are empty.
    pub only: BTreeSet<SourceId>,
    /// The sources at one of these paths, below whatever root, and those whose text claims one of these types.
    pub named: Names,
    /// The [mark](Survey::mark) of a survey whose conclusions the caller still has. If this one gets the same mark,
    /// its content is left out; if nothing but the text of modules has changed, it may hold what follows from that alone
    /// ([`Survey::since`]).
    pub unless: Option<Digest>,
}

impl ObserveRequest {
    /// True if no source is left out.
    #[must_use]
    pub fn is_of_everything(&self) -> bool {
        self.only.is_empty() && self.named.is_empty()
    }

    /// True if this source is asked for, whose text claims this type.
    #[must_use]
    pub fn asks_for(&self, source: &SourceId, claimed_type: Option<&TypeName>) -> bool {
        self.is_of_everything() || self.only.contains(source) || self.named.is_one(&source.path, claimed_type)
    }
}

/// The survey itself failed; nothing is known of the disk.
#[derive(Debug, thiserror::Error)]
pub enum ObserveError {
    /// The root directory or its configuration cannot be read.
    #[error("cannot look at the repository: {fault}")]
    Repository {
        /// What went wrong.
        fault: Fault,
    },
}

impl ObserveError {
    /// The fault behind it.
    #[must_use]
    pub const fn fault(&self) -> &Fault {
        match self {
            ObserveError::Repository { fault } => fault,
        }
    }
}
