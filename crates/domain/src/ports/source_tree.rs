//! Finding sources and what they import.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::Arc,
};

use async_trait::async_trait;

use crate::{
    digest::Digest,
    drift::Drift,
    failure::Fault,
    fingerprint::Part,
    observation::{DiskView, Observation},
    problem::Problem,
    shipped::Shipped,
    source::{Kind, Origin, RelativePath, SourceId},
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
    /// `packages` and `bundler` parts are left as the empty [`Part`], to be filled by the caller from
    /// [`SurveyedEntry::specifiers`].
    async fn survey(&self, request: &ObserveRequest) -> Result<Survey, ObserveError>;

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

    /// The workflows that source mounts and pulled extensions bring, read now: those of mounts first, in the order of
    /// the roots, then by path. The repository's own are data files of its ([`RepositoryFiles`]).
    ///
    /// [`RepositoryFiles`]: super::RepositoryFiles
    async fn workflows(&self) -> Result<WorkflowFiles, ObserveError>;

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
    /// Only these sources (and what they import); everything if empty.
    pub only: BTreeSet<SourceId>,
    /// The [mark](Survey::mark) of a survey whose conclusions the caller still has. If this one gets the same mark,
    /// its content is left out.
    pub unless: Option<Digest>,
}

/// Where sources of one kind lie and how they are recognised.
#[derive(Clone, Debug)]
pub struct KindLayout {
    /// The kind.
    pub kind: Kind,
    /// Its directory below `extensions/`, such as `models`.
    pub directory: Arc<str>,
    /// The export names that make a file an entry point, first in precedence first.
    pub export_names: Vec<Arc<str>>,
    /// Those of the export names that add to the type of another source, such as `extension`.
    pub add_on_export_names: Vec<Arc<str>>,
    /// The key of the export whose literal value is the claimed type: `type`, or `name` for reports.
    pub type_key: Arc<str>,
    /// Turns the text of a type into its normalised name.
    pub normalise: fn(&str) -> Result<crate::type_name::TypeName, crate::type_name::TypeNameError>,
}

/// What a survey found.
#[derive(Clone, Debug, Default)]
pub struct Survey {
    /// The view that plans are made of, without packages and bundler parts.
    pub disk: DiskView,
    /// Per observed entry, in the order of `disk.observations`, what it needs from outside.
    pub entries: Vec<SurveyedEntry>,
    /// What the survey cost.
    pub statistics: SurveyStatistics,
    /// Names the content: equal marks mean equal content for the same request. `None` where no later survey could
    /// give it again. A survey whose mark is the one of [`ObserveRequest::unless`] has no content.
    pub mark: Option<Digest>,
}

/// What one entry's module graph needs from outside.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct SurveyedEntry {
    /// Specifiers that are no local files, sorted: `npm:zod@4`, `node:fs`, `jsr:…`, `https:…`, bare names
    /// after import maps have been applied.
    pub specifiers: BTreeSet<String>,
    /// The `deno.lock` that governs the entry, absolute; `None` if there is none.
    pub lock: Option<PathBuf>,
    /// What its extension ships for it. Looked for only in pulled extensions, and only where a specifier is one that
    /// nothing maps ([`crate::shipped::is_unmapped`]).
    pub shipped: Option<Shipped>,
}

/// What a survey cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct SurveyStatistics {
    /// Source and configuration files that were opened.
    pub files_read: u64,
    /// Directories that were listed.
    pub directories_listed: u64,
}

/// A local module graph: files and the edges between them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModuleGraph {
    /// The entry's path.
    pub entry: RelativePath,
    /// Every file that the entry reaches, itself included, sorted by path.
    pub files: Vec<SourceFile>,
    /// Every import of every file.
    pub edges: Vec<Edge>,
    /// The source part that these bytes make.
    pub source: Part,
    /// The config part in force.
    pub config: Part,
    /// Settings in force that the bundler applies, as JSON text of `{jsx…}`; `{}` where there are none.
    pub compiler_options: String,
    /// The `deno.lock` that governs the entry, absolute; `None` if there is none.
    pub lock: Option<PathBuf>,
    /// The configuration in force as files, for a bundler that reads them itself: `deno.json` or `package.json`,
    /// an import map, and the `deno.lock` beside them. Empty where nothing is in force.
    pub config_files: Vec<ConfigFile>,
}

/// A configuration file, reduced to the settings that the config part holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigFile {
    /// Its path below the root of the entry.
    pub path: RelativePath,
    /// What it is.
    pub kind: ConfigKind,
    /// JSON text.
    pub text: String,
}

/// What a configuration file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfigKind {
    /// `deno.json`, whatever its name on disk is.
    Deno,
    /// The file that `importMap` names.
    ImportMap,
    /// `package.json`; in force only for graphs with bare specifiers.
    Package,
    /// `deno.lock` beside one of them.
    Lock,
}

/// One file with the bytes that were hashed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceFile {
    /// Its path below the root of the entry.
    pub path: RelativePath,
    /// Its bytes.
    pub bytes: Arc<[u8]>,
    /// Their digest.
    pub digest: Digest,
}

/// One import, re-export or literal `import()`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Edge {
    /// The importing file.
    pub importer: RelativePath,
    /// The specifier as it is written.
    pub specifier: String,
    /// Where it leads.
    pub target: EdgeTarget,
}

/// Where an import leads.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum EdgeTarget {
    /// A local file.
    File(RelativePath),
    /// Something from outside, by its specifier after import maps: `npm:zod@4`, `node:fs`, `jsr:…`.
    External(String),
    /// A local path where nothing is.
    Missing,
    /// A local path outside the root.
    OutsideRoot,
}

/// The workflows that other roots than the repository bring.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WorkflowFiles {
    /// The files.
    pub files: Vec<WorkflowFile>,
    /// Roots that cannot be looked into, files that cannot be read, manifests that cannot be used.
    pub problems: Vec<Problem>,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkflowFile {
    /// Where it lies.
    pub source: SourceId,
    /// Where its root comes from.
    pub origin: Origin,
    /// Its text.
    pub text: String,
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

impl Survey {
    /// The observations together with what they need.
    pub fn observed(&self) -> impl Iterator<Item = (&Observation, &SurveyedEntry)> {
        self.disk.observations.iter().zip(&self.entries)
    }
}
