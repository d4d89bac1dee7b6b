//! The roots of a repository as values, and what they are found from.

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
    pulled::FilesChecksum,
    source::{Extension, Origin, RelativePath, RootId},
};
use mangrove_fs::{stamp::Seen, walk::Bounds};

use crate::{
    layout::Layout,
    view::{Content, DirectoryRecord, FileRecord, View},
};

/// A root to look at.
#[derive(Clone, Debug)]
pub(crate) struct RootSpec {
    pub(crate) id: RootId,
    pub(crate) origin: Origin,
    /// Absolute, without symbolic links; empty if it is not there.
    pub(crate) directory: PathBuf,
    pub(crate) access: RootAccess,
    /// For files that no manifest claims; of a pulled extension, for all.
    pub(crate) extension: Extension,
    /// Every repository inside counts, not only the one at the top.
    pub(crate) is_recursive: bool,
    /// Only these kinds, by their names or their directories' names; all if `None`.
    pub(crate) only: Option<BTreeSet<String>>,
    /// Files that the lockfile names.
    pub(crate) locked_files: BTreeSet<RelativePath>,
    /// Names the pull that brought it; only of a pulled extension.
    pub(crate) pull: Option<Arc<str>>,
}

impl RootSpec {
    /// True if sources of this kind count here.
    pub(crate) fn has_kind(&self, kind: &KindLayout) -> bool {
        self.only.as_ref().is_none_or(|only| names(kind).iter().any(|name| only.contains(*name)))
    }
}

/// How a kind may be called in `only`: by its name or by its directory's.
pub(crate) fn names(kind: &KindLayout) -> [&str; 2] {
    [kind.kind.as_str(), &kind.directory]
}

/// The roots of a repository.
#[derive(Debug, Default)]
pub(crate) struct Roots {
    /// The repository itself first, then mounts, then pulled extensions, in the order of precedence.
    pub(crate) specs: Vec<RootSpec>,
    pub(crate) lockfile_fault: Option<Fault>,
    pub(crate) mounts_fault: Option<Fault>,
    pub(crate) mount_patterns: Vec<Glob>,
    pub(crate) problems: Vec<Problem>,
    /// What the lockfile says of the bytes of pulled extensions.
    pub(crate) checksums: BTreeMap<RootId, FilesChecksum>,
    /// The environment variables that were asked for, with their values.
    pub(crate) variables: BTreeMap<String, Option<String>>,
}

/// What roots are found from.
pub(crate) struct RootInputs<'a> {
    /// The repository, where its data lies.
    pub(crate) base: &'a mut View,
    /// The repository's own extensions, if they lie elsewhere than in `base`.
    pub(crate) code: Option<&'a mut View>,
    /// The whole file system, for what lies outside.
    pub(crate) surroundings: &'a mut View,
    pub(crate) layout: &'a Layout,
    pub(crate) environment: &'a BTreeMap<String, String>,
    pub(crate) kinds: &'a [KindLayout],
    pub(crate) documents: &'a Arc<dyn Documents>,
    /// How much may be looked at to expand the list of mounts.
    pub(crate) walk_bounds: Bounds,
}

/// Looks at a path of the file system and remembers that it was looked at.
pub(crate) fn look(surroundings: &mut View, path: &Path) -> Option<Seen> {
    let below = path.to_str()?.trim_start_matches('/').to_owned();
    let seen = surroundings.look(&below);
    let record = FileRecord { seen, is_racy: false, content: Content::Absent, module: None };
    surroundings.files.entry(below).or_insert_with(|| Arc::new(record));
    Some(seen)
}

/// Makes the next survey look again although every stamp may be the same: what is there could not be entered.
pub(crate) fn distrust(view: &mut View) {
    let record = DirectoryRecord { is_racy: true, ..DirectoryRecord::clone(&view.directory("")) };
    view.directories.insert(String::new(), Arc::new(record));
}
