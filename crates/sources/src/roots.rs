//! Which roots there are: the repository, its source mounts, its pulled extensions (`design/origins.md`).
//!
//! What is looked at for this goes through views too, so that a warm survey notices when the answer would change.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::Arc,
};

use mangrove_domain::{
    failure::Fault,
    glob::Glob,
    kind_layout::KindLayout,
    observation::RootAccess,
    ports::Documents,
    problem::Problem,
    source::{Extension, Origin, RelativePath, RootId},
};
use mangrove_fs::stamp::Seen;

use super::{
    drift::Checksums,
    layout::Layout,
    mounts, pulled,
    view::{Content, FileRecord, View},
};

/// A root to look at.
#[derive(Clone, Debug)]
pub(super) struct RootSpec {
    pub(super) id: RootId,
    pub(super) origin: Origin,
    /// Absolute, without symbolic links; empty if it is not there.
    pub(super) directory: PathBuf,
    pub(super) access: RootAccess,
    /// For files that no manifest claims; of a pulled extension, for all.
    pub(super) extension: Extension,
    /// Every repository inside counts, not only the one at the top.
    pub(super) is_recursive: bool,
    /// Only these kinds, by their names or their directories' names; all if `None`.
    pub(super) only: Option<BTreeSet<String>>,
    /// Files that the lockfile names.
    pub(super) locked_files: BTreeSet<RelativePath>,
    /// Names the pull that brought it; only of a pulled extension.
    pub(super) pull: Option<Arc<str>>,
}

impl RootSpec {
    /// True if sources of this kind count here.
    pub(super) fn has_kind(&self, kind: &KindLayout) -> bool {
        self.only.as_ref().is_none_or(|only| names(kind).iter().any(|name| only.contains(*name)))
    }
}

/// How a kind may be called in `only`: by its name or by its directory's.
pub(super) fn names(kind: &KindLayout) -> [&str; 2] {
    [kind.kind.as_str(), &kind.directory]
}

/// The roots of a repository.
#[derive(Debug, Default)]
pub(super) struct Roots {
    /// The repository itself first, then mounts, then pulled extensions, in the order of precedence.
    pub(super) specs: Vec<RootSpec>,
    pub(super) lockfile_fault: Option<Fault>,
    pub(super) mounts_fault: Option<Fault>,
    pub(super) mount_patterns: Vec<Glob>,
    pub(super) problems: Vec<Problem>,
    /// What the lockfile says of the bytes of pulled extensions.
    pub(super) checksums: BTreeMap<RootId, Checksums>,
    /// The environment variables that were asked for, with their values.
    pub(super) variables: BTreeMap<String, Option<String>>,
}

/// What roots are told from.
pub(super) struct Sight<'a> {
    /// The repository, where its data lies.
    pub(super) base: &'a mut View,
    /// The repository's own extensions, if they lie elsewhere than in `base`.
    pub(super) code: Option<&'a mut View>,
    /// The whole file system, for what lies outside.
    pub(super) surroundings: &'a mut View,
    pub(super) layout: &'a Layout,
    pub(super) environment: &'a BTreeMap<String, String>,
    pub(super) kinds: &'a [KindLayout],
    pub(super) documents: &'a Arc<dyn Documents>,
}

/// Finds the roots.
pub(super) fn find(mut sight: Sight<'_>) -> Roots {
    let code = sight.code.as_ref().map_or(&sight.base.root, |code| &code.root);
    let local = RootSpec {
        id: RootId::local(),
        origin: Origin::Local,
        directory: code.directory.clone(),
        access: RootAccess::Reachable,
        extension: sight.layout.own_extension(),
        is_recursive: false,
        only: None,
        locked_files: BTreeSet::new(),
        pull: None,
    };
    let mut roots = Roots { specs: vec![local], ..Roots::default() };
    mounts::find(&mut sight, &mut roots);
    pulled::find(&mut sight, &mut roots);
    roots
}

/// Looks at a path of the file system and remembers that it was looked at.
pub(super) fn look(surroundings: &mut View, path: &Path) -> Option<Seen> {
    let below = path.to_str()?.trim_start_matches('/').to_owned();
    let seen = surroundings.look(&below);
    let record = FileRecord { seen, is_racy: false, content: Content::Absent, module: None };
    surroundings.files.entry(below).or_insert_with(|| Arc::new(record));
    Some(seen)
}
