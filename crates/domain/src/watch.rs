//! What is watched for changes, and what changed.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

/// The places whose changes matter. All paths are absolute.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WatchList {
    /// Directories of which every entry matters, without what lies deeper.
    pub directories: BTreeSet<PathBuf>,
    /// Directories of which everything matters, at any depth.
    pub trees: BTreeSet<PathBuf>,
    /// Single paths that matter, whether something is there or not: configuration files, and imports that lead nowhere yet.
    pub files: BTreeSet<PathBuf>,
}

impl WatchList {
    /// True if a change of this path may mean something.
    #[must_use]
    pub fn concerns(&self, path: &Path) -> bool {
        self.files.contains(path)
            || self.directories.contains(path)
            || path.parent().is_some_and(|parent| self.directories.contains(parent))
            || self.is_in_tree(path)
    }

    /// True if this path lies in one of the trees.
    #[must_use]
    pub fn is_in_tree(&self, path: &Path) -> bool {
        path.ancestors().any(|ancestor| self.trees.contains(ancestor))
    }

    /// The directories that have to be watched one by one: those that matter, and those in which single paths lie.
    #[must_use]
    pub fn flat_directories(&self) -> BTreeSet<PathBuf> {
        let parents = self.files.iter().filter_map(|path| path.parent()).map(Path::to_owned);
        self.directories.iter().cloned().chain(parents).filter(|directory| !self.is_in_tree(directory)).collect()
    }

    /// Adds the places of another list.
    pub fn extend(&mut self, other: WatchList) {
        self.directories.extend(other.directories);
        self.trees.extend(other.trees);
        self.files.extend(other.files);
    }
}

/// How much of a list is watched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// How many directories are.
    pub watched: usize,
    /// Those that are there and are not.
    pub unwatched: BTreeSet<PathBuf>,
    /// Why not, of the first; `None` if all are.
    pub reason: Option<String>,
}

/// What changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileChanges {
    /// The paths that changed, came or went; absolute.
    pub paths: BTreeSet<PathBuf>,
    /// False if others may have changed too: the system lost events.
    pub is_complete: bool,
}

impl Default for FileChanges {
    fn default() -> Self {
        Self { paths: BTreeSet::new(), is_complete: true }
    }
}

impl FileChanges {
    /// Adds what changed later.
    pub fn extend(&mut self, later: FileChanges) {
        self.paths.extend(later.paths);
        self.is_complete &= later.is_complete;
    }

    /// True if nothing changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.paths.is_empty() && self.is_complete
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(texts: &[&str]) -> BTreeSet<PathBuf> {
        texts.iter().map(PathBuf::from).collect()
    }

    #[test]
    fn what_concerns_a_list_is_an_entry_a_place_below_a_tree_or_a_single_path() {
        let list = WatchList {
            directories: paths(&["/r/extensions/models"]),
            trees: paths(&["/r/workflows"]),
            files: paths(&["/r/deno.json", "/r/mangrove.yaml"]),
        };
        let concerned = [
            "/r/extensions/models",
            "/r/extensions/models/a.ts",
            "/r/workflows",
            "/r/workflows/deep/er/w.yaml",
            "/r/deno.json",
        ];
        for path in concerned {
            assert!(list.concerns(Path::new(path)), "{path}");
        }
        for path in ["/r/extensions/models/deep/a.ts", "/r/README.md", "/r", "/r/workflows-old/w.yaml"] {
            assert!(!list.concerns(Path::new(path)), "{path}");
        }
        assert_eq!(list.flat_directories(), paths(&["/r", "/r/extensions/models"]));
    }

    #[test]
    fn lost_events_stay_lost() {
        let mut changes = FileChanges { paths: paths(&["/a"]), is_complete: false };
        changes.extend(FileChanges { paths: paths(&["/b"]), is_complete: true });
        assert_eq!(changes, FileChanges { paths: paths(&["/a", "/b"]), is_complete: false });
        assert!(!FileChanges { paths: BTreeSet::new(), is_complete: false }.is_empty());
    }
}
