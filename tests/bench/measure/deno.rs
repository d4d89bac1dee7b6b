//! What a Deno takes for the same: one bundle of each entry point, and a process that imports it.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result};
use mangrove_infra::runtime::ProgramLocations;
use tempfile::TempDir;

use super::{as_number, milliseconds, process::Program};

/// Longer than any entry point needs; one that never ends is left out.
const LIMIT: Duration = Duration::from_mins(1);

/// Entry points that Deno bundled and imported.
#[derive(Default)]
pub(super) struct Taken {
    /// Of both processes of each, summed.
    pub(super) whole: Duration,
    pub(super) entries: usize,
    /// Entry points that Deno could not bundle or import.
    pub(super) failed: usize,
}

/// A Deno with a cache of its own.
pub(super) struct Deno {
    program: PathBuf,
    directory: TempDir,
}

impl Deno {
    /// The one that `MANGROVE_DENO` or `PATH` names; why not, if there is none.
    pub(super) fn find() -> Result<Result<Self, String>> {
        let places = ProgramLocations { environment: std::env::vars().collect(), ..ProgramLocations::default() };
        let program = match places.deno() {
            Ok(program) => program.path,
            Err(fault) => return Ok(Err(format!("no Deno: {fault}"))),
        };
        let directory = tempfile::tempdir().context("no temporary directory")?;
        fs::create_dir(directory.path().join("cache")).context("no cache for Deno")?;
        Ok(Ok(Self { program, directory }))
    }

    /// Bundles and imports each of these entry points of a repository. Its packages are fetched before, which does not count.
    pub(super) fn take(&self, repository: &Path, entries: &[&str]) -> Taken {
        let mut taken = Taken::default();
        let own = self.directory.path();
        let (bundle, cache) = (own.join("bundle.js").display().to_string(), own.join("cache").display().to_string());
        let set = |program: Program| {
            program
                .with_environment("DENO_DIR", &cache)
                .with_environment("DENO_TLS_CA_STORE", "mozilla,system")
                .with_environment("DENO_NO_UPDATE_CHECK", "1")
        };
        let mut bundler = set(Program::new(&self.program, repository).with_network());
        // Deno knows the registry by one name only.
        if let (Ok(registry), Err(_)) = (std::env::var("MANGROVE_NPM_REGISTRY"), std::env::var("NPM_CONFIG_REGISTRY")) {
            bundler = bundler.with_environment("NPM_CONFIG_REGISTRY", &registry);
        }
        // What others wrote runs here, and gets nothing that reaches a registry.
        let importer = set(Program::new(&self.program, own));
        let read = format!("--allow-read={}", own.display());
        let import = ["run", "--quiet", "--no-prompt", "--no-config", "--no-lock", "--no-remote", "--no-npm"];
        let import = [&import[..], &["--allow-env", "--allow-sys", &read, &bundle]].concat();
        for entry in entries {
            let bundling = ["bundle", "--quiet", "--no-lock", "--node-modules-dir=none", "--output", &bundle, entry];
            let once = || -> Result<Duration> {
                let first = bundler.timed_at_most(&bundling, LIMIT)?;
                Ok(first + importer.timed_at_most(&import, LIMIT)?)
            };
            // The first one fetches, and makes what Deno itself remembers of modules.
            match once().and_then(|_| once()) {
                Ok(time) => (taken.whole, taken.entries) = (taken.whole + time, taken.entries + 1),
                Err(_) => taken.failed += 1,
            }
        }
        taken
    }
}

impl Taken {
    pub(super) fn add(&mut self, other: &Self) {
        self.whole += other.whole;
        self.entries += other.entries;
        self.failed += other.failed;
    }

    /// Milliseconds for each entry; `None` if there was none.
    pub(super) fn each(&self) -> Option<f64> {
        (self.entries > 0).then(|| milliseconds(self.whole) / as_number(self.entries))
    }

    pub(super) fn note(&self) -> String {
        format!("{} entries of it, one after the other; {} that Deno cannot load", self.entries, self.failed)
    }
}

/// So many of these, spread evenly.
pub(super) fn sample<T>(all: &[T], number: usize) -> impl Iterator<Item = &T> {
    all.iter().step_by(all.len().div_ceil(number.max(1)).max(1))
}
