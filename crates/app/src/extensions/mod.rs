//! Extensions from elsewhere: pulled from a registry, an archive or a directory, restored by the lockfile, listed and
//! removed (`design/origins.md`).

mod error;
mod install;
mod list;
mod lock;
mod obtain;
mod pull;
mod remove;

use std::{path::PathBuf, sync::Arc};

use mangrove_domain::{
    kind_layout::KindLayout,
    ports::{Clock, Documents, ExtensionPackages, ExtensionRegistry, PulledExtensions},
    pulled::ExtensionReference,
    source::RelativePath,
};

pub use self::{
    error::ExtensionError,
    install::{InstallOutcome, InstalledExtension},
    list::ListedExtension,
    pull::{PullStatus, PulledExtension},
    remove::RemovedExtension,
};

/// What it takes to get extensions, and to keep them.
#[derive(Clone)]
pub struct ExtensionPorts {
    /// Asks registries.
    pub registry: Arc<dyn ExtensionRegistry>,
    /// Opens archives and directories.
    pub packages: Arc<dyn ExtensionPackages>,
    /// The extensions and their lockfile on disk.
    pub pulled: Arc<dyn PulledExtensions>,
}

/// The pulled extensions of one repository.
pub struct Extensions {
    ports: ExtensionPorts,
    documents: Arc<dyn Documents>,
    clock: Arc<dyn Clock>,
    /// The kinds that sources may be of.
    kinds: Vec<KindLayout>,
}

/// What is to be pulled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PullRequest {
    /// What.
    pub wanted: Wanted,
    /// Also where files were changed, or the version is there already.
    pub is_forced: bool,
}

/// Where an extension is to come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// A registry.
    Registry {
        /// Which extension.
        reference: ExtensionReference,
        /// The newest of this channel; `None` for what the lockfile says, else for everybody.
        channel: Option<String>,
    },
    /// An archive or a directory.
    Local(PathBuf),
}

impl Extensions {
    /// The extensions behind these ports.
    pub(crate) const fn new(
        ports: ExtensionPorts,
        documents: Arc<dyn Documents>,
        clock: Arc<dyn Clock>,
        kinds: Vec<KindLayout>,
    ) -> Self {
        Self { ports, documents, clock, kinds }
    }
}

/// At most so many of these paths, and how many there are more.
fn some<'a>(paths: impl ExactSizeIterator<Item = &'a RelativePath>) -> String {
    const SHOWN: usize = 5;
    let count = paths.len();
    let mut text: Vec<String> = paths.take(SHOWN).map(ToString::to_string).collect();
    if count > SHOWN {
        text.push(format!("{} more", count - SHOWN));
    }
    text.join(", ")
}
