//! A place for one build: the bytes that were hashed, laid out as they are in the repository, with the configuration
//! in force beside them. Nothing of the repository itself is read or written.

use std::{
    ffi::OsString,
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use mangrove_domain::{
    failure::Fault,
    module_graph::{ConfigFile, ConfigKind, ModuleGraph},
    problem::Code,
};
use mangrove_fs::{
    directory::{self, Directory},
    faults::{Operation, io_fault},
    read::{self, FileKind, ReadError, Reason, Within},
    staging,
};
use tempfile::TempDir;

/// What the names of build directories begin with.
const PREFIX: &str = "build-";

/// No build takes this long.
const ABANDONED: Duration = Duration::from_hours(24);

/// The directory of one build; removed with this value.
pub(super) struct BuildDirectory {
    directory: TempDir,
    entry: PathBuf,
    /// The configuration that Deno is given.
    governing: Option<(ConfigKind, PathBuf)>,
    lock: Option<PathBuf>,
}

impl BuildDirectory {
    /// Writes everything that a build of this graph reads.
    pub(super) fn write(home: &Path, graph: &ModuleGraph, npmrc: Option<String>) -> Result<Self, Fault> {
        let failed = |error: io::Error| io_fault(Operation::Create, home, &error);
        let opened = Directory::make(home, home).map_err(failed)?;
        // Deno writes there by itself.
        Directory::make(home, &home.join("cache")).map_err(failed)?;
        sweep(&opened);
        // Bundles mention files by paths relative to the directory: its depth is always the same, its name is not mentioned.
        let directory = opened.temporary(PREFIX).map_err(failed)?;
        let write = |path: &Path, bytes: &[u8]| {
            staging::write(home, path, bytes).map_err(|error| io_fault(Operation::Write, path, &error))
        };
        let files = directory.path().join("files");
        for file in &graph.files {
            write(&files.join(file.path.as_str()), &file.bytes)?;
        }
        let mut build = Self { entry: files.join(graph.entry.as_str()), directory, governing: None, lock: None };
        let mut lock = None;
        for config in &graph.config_files {
            let path = files.join(config.path.as_str());
            match config.kind {
                ConfigKind::Package if !has_bare_imports(graph) => continue,
                ConfigKind::Deno | ConfigKind::Package => build.governing = Some((config.kind, path.clone())),
                ConfigKind::ImportMap => {}
                ConfigKind::Lock => {
                    lock = Some((path, config));
                    continue;
                }
            }
            write(&path, config.text.as_bytes())?;
        }
        if let Some((path, ConfigFile { text, .. })) = lock {
            write(&path, text.as_bytes())?;
            build.lock = Some(path);
        }
        if let Some(npmrc) = npmrc {
            write(&build.directory().join(".npmrc"), npmrc.as_bytes())?;
        }
        Ok(build)
    }

    /// What Deno's cache keeps of a file at this place, below the cache.
    fn transpiled(&self) -> Option<PathBuf> {
        let home = self.directory.path().parent()?;
        let below = self.directory.path().strip_prefix("/").ok()?;
        Some(home.join("cache").join("gen").join("file").join(below))
    }

    /// The directory to work in: that of `package.json` where it governs, because Deno puts `node_modules` there.
    pub(super) fn directory(&self) -> PathBuf {
        match &self.governing {
            Some((_, path)) => path.parent().map_or_else(|| self.files(), Path::to_owned),
            None => self.files(),
        }
    }

    /// The lock that Deno is given, which it brings up to date.
    pub(super) fn lock(&self) -> Option<&Path> {
        self.lock.as_deref()
    }

    /// The entry's file.
    pub(super) fn entry(&self) -> &Path {
        &self.entry
    }

    /// Where the bundle goes.
    pub(super) fn out(&self) -> PathBuf {
        self.directory.path().join("out.js")
    }

    /// How Deno's messages name the files of the build, to be cut off: address and path.
    pub(super) fn names(&self) -> [String; 2] {
        let files = self.files();
        [format!("file://{}/", files.display()), format!("{}/", files.display())]
    }

    /// The arguments that follow from what governs.
    pub(super) fn arguments(&self) -> Vec<OsString> {
        // Imports are written as the embedded bundler resolves them.
        let mut arguments: Vec<OsString> = vec!["--unstable-sloppy-imports".into(), "--unstable-raw-imports".into()];
        match &self.governing {
            Some((ConfigKind::Package, _)) => arguments.push("--node-modules-dir=auto".into()),
            Some((ConfigKind::Deno | ConfigKind::ImportMap | ConfigKind::Lock, path)) => {
                arguments.extend(["--config".into(), path.into(), "--node-modules-dir=none".into()]);
            }
            None => arguments.extend(["--no-config".into(), "--node-modules-dir=none".into()]),
        }
        match &self.lock {
            Some(path) => arguments.extend(["--lock".into(), path.into()]),
            None => arguments.push("--no-lock".into()),
        }
        arguments
    }

    /// What was built.
    pub(super) fn output(&self, largest_bytes: u64) -> Result<String, Fault> {
        let path = self.out();
        let unreadable = |error: &io::Error| {
            let message = format!("Deno reported a bundle, and it cannot be read: {error}");
            Fault::environment(Code::RUNTIME_FAILED, "program:deno", message)
        };
        match read::text(path, Within::Unlinked, FileKind::Bundle) {
            Ok(code) if code.len() as u64 <= largest_bytes => Ok(code),
            Ok(_) | Err(ReadError { reason: Reason::TooLarge { .. }, .. }) => {
                let message = format!("the bundle is larger than {largest_bytes} bytes");
                Err(Fault::deterministic(Code::BUNDLE_FAILED, "bundler", message))
            }
            Err(error) => Err(unreadable(&error.into())),
        }
    }

    /// The sources, laid out as in the repository.
    pub(super) fn files(&self) -> PathBuf {
        self.directory.path().join("files")
    }
}

impl Drop for BuildDirectory {
    fn drop(&mut self) {
        // No other build is ever at this place, so that nothing would use it and it would only grow.
        if let (Some(transpiled), Some(home)) = (self.transpiled(), self.directory.path().parent()) {
            let _ = directory::remove_all(home, &transpiled);
        }
    }
}

/// Removes directories that a process left behind when it was killed.
fn sweep(home: &Directory) {
    for name in home.names().unwrap_or_default() {
        let is_build = name.to_string_lossy().starts_with(PREFIX);
        let age = home.look(&name).ok().and_then(|entry| entry.modified.elapsed().ok());
        if is_build && age.is_some_and(|age| age > ABANDONED) {
            let _ = home.remove_all(&name);
        }
    }
}

/// True if something is imported by a name that only a configuration can explain.
fn has_bare_imports(graph: &ModuleGraph) -> bool {
    let is_bare = |specifier: &str| !specifier.starts_with(['.', '/']) && !specifier.contains(':');
    graph.edges.iter().any(|edge| is_bare(&edge.specifier))
}
