//! What a service is to be like, as plain values: whoever starts a process reads arguments and environment once and
//! hands this down.

use std::{collections::BTreeMap, path::PathBuf};

/// What a service is to be like.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The directory of the repository, without symbolic links.
    pub repository: PathBuf,
    /// Where catalog, bundles, run history, data and caches lie, usually `.mangrove` in the repository.
    pub state_directory: PathBuf,
    /// What it may change.
    pub access: Access,
    /// Where the repository's own extensions lie, if not in the repository: another checkout of it.
    pub extensions_directory: Option<PathBuf>,
    /// Forbids the network: cached packages only.
    pub is_offline: bool,
    /// Forbids changes of locks: what is not locked fails.
    pub is_locked: bool,
    /// The address of the registry of extensions; `None` for the one that the environment names, the lockfile has recorded,
    /// or everybody uses.
    pub extension_registry: Option<String>,
    /// Which bundler builds extensions; `None` for the one that the configuration names.
    pub bundler: Option<BundlerChoice>,
    /// How many builds, and how many calls of methods, run at once, at least 1.
    pub jobs: usize,
    /// The variables that count as those of the process: for `env` in expressions, for code with grants, for
    /// registries and proxies, for the places of sources and programs.
    pub environment: BTreeMap<String, String>,
}

impl Settings {
    /// The usual settings for a repository: its state in `.mangrove`, everything may change, the configuration names the
    /// bundler, an empty environment.
    #[must_use]
    pub fn new(repository: PathBuf) -> Self {
        Self {
            state_directory: repository.join(".mangrove"),
            repository,
            access: Access::ReadWrite,
            extensions_directory: None,
            is_offline: false,
            is_locked: false,
            extension_registry: None,
            bundler: None,
            jobs: std::thread::available_parallelism().map_or(2, usize::from),
            environment: BTreeMap::new(),
        }
    }

    /// Where the bundles lie.
    #[must_use]
    pub fn bundles_directory(&self) -> PathBuf {
        self.state_directory.join("bundles")
    }
}

/// What a service may change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Everything.
    ReadWrite,
    /// Nothing is created, migrated, built or remembered.
    ReadOnly,
    /// As `ReadOnly`, and a catalog that cannot be opened is no error before it is asked for something.
    Examine,
}

/// Which bundler builds extensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BundlerChoice {
    /// The embedded one where it can, else Deno.
    Auto,
    /// The embedded one.
    Embedded,
    /// Deno.
    Deno,
}
