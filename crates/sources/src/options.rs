//! What the tree of sources is opened with.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use mangrove_domain::ports::Documents;
use mangrove_fs::walk::Bounds;

use crate::parser::ModuleParser;

/// What a [`LocalTree`](crate::LocalTree) needs to know.
#[derive(Clone)]
pub struct TreeOptions {
    /// The directory that holds the marker.
    pub repository: PathBuf,
    /// Where the stat cache lies, usually `.mangrove` in the repository; made if missing.
    pub state_directory: PathBuf,
    /// Environment variables: those that end in `_DIR` and start with `MANGROVE_` or `SWAMP_`, and those that the list
    /// of source mounts names.
    pub environment: BTreeMap<String, String>,
    /// Reads modules, usually in worker processes.
    pub parser: Arc<dyn ModuleParser>,
    /// Reads YAML and JSON.
    pub documents: Arc<dyn Documents>,
    /// Where the repository's own extensions lie, if not in the repository: another checkout of it (`extensions/…`
    /// below), or its `extensions` directory itself. Definitions, workflows and mounts stay where they are.
    pub extensions_directory: Option<PathBuf>,
    /// Writes nothing, not even the stat cache: for commands that only look (fault 40).
    pub is_read_only: bool,
    /// How much of the file system a survey, or a search for workflows, may look at in all roots together.
    pub walk_bounds: Bounds,
}

impl TreeOptions {
    /// The state directory, if it may be written to.
    pub(super) fn writable_state(&self) -> Option<PathBuf> {
        (!self.is_read_only).then(|| self.state_directory.clone())
    }
}
