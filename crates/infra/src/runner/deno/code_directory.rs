//! The files that a process loads: laid out by content, so that a process finds the very bytes that were verified, and
//! Deno's cache of compiled code finds them again.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    time::Duration,
};

use mangrove_domain::{bundle::LoadedBundle, digest::Digest, failure::Fault};
use mangrove_engine::{CALLS_SOURCE, CONTEXT_SOURCE, DRIVER_SOURCE, SOURCES_SOURCE};
use mangrove_fs::{
    atomic::{self, Durability},
    directory::Directory,
    faults::{Operation, io_fault},
    read::{self, FileKind, Within},
};

/// No session lasts so long; what nobody loaded for this time is removed.
const ABANDONED: Duration = Duration::from_hours(72);

/// The file of a directory whose time says when its code was last loaded. The code itself keeps its time: Deno takes a
/// file that changes while a process loads it for another one, which nobody has granted.
const USED: &str = "used";

const WORKER_SOURCE: &str = include_str!("worker.js");

/// `deno/run` of a state directory:
///
/// ```text
/// code/<digest>/{main,calls,context,driver,sources,worker}.js, bundle.js
/// code/vendor/<digest>/…                    as bundles import them
/// …/used                                    when that directory was last loaded from
/// ```
pub(super) struct CodeDirectory {
    state_directory: PathBuf,
    directory: PathBuf,
}

impl CodeDirectory {
    pub(super) fn new(state_directory: &Path) -> Self {
        let directory = state_directory.join("deno").join("run").join("code");
        Self { state_directory: state_directory.to_owned(), directory }
    }

    /// Lays out a bundle and gives the module to run.
    pub(super) fn lay_out(&self, bundle: &LoadedBundle) -> Result<PathBuf, Fault> {
        let own = [bundle.code.as_ref(), CALLS_SOURCE, CONTEXT_SOURCE, DRIVER_SOURCE, SOURCES_SOURCE, WORKER_SOURCE];
        let own = own.join("\0");
        let home = self.directory.join(Digest::of(own.as_bytes()).to_string());
        let is_new = !home.is_dir();
        let main = "import { serve } from \"./worker.js\";\nserve(() => import(\"./bundle.js\"));\n";
        let files = [
            ("main.js", main),
            ("calls.js", CALLS_SOURCE),
            ("context.js", CONTEXT_SOURCE),
            ("driver.js", DRIVER_SOURCE),
            ("sources.js", SOURCES_SOURCE),
            ("worker.js", WORKER_SOURCE),
        ];
        let mut directories = BTreeSet::from([home.clone()]);
        for (name, text) in files.into_iter().chain([("bundle.js", bundle.code.as_ref())]) {
            self.write(&home.join(name), text)?;
        }
        for file in &bundle.vendor_files {
            // As the bundle imports it: from its own directory.
            let path = match file.path.strip_prefix("../") {
                Some(below) => self.directory.join(below),
                None => home.join(&file.path),
            };
            self.write(&path, &file.code)?;
            directories.extend(path.parent().map(Path::to_owned));
        }
        for directory in &directories {
            self.mark_as_used(directory);
        }
        if is_new {
            self.sweep();
        }
        Ok(home.join("main.js"))
    }

    /// Removes code that was not loaded for long. Best effort: what stays costs space.
    fn sweep(&self) {
        let age = |directory: &Directory| {
            let names = directory.names().unwrap_or_default();
            let newest = names.iter().filter_map(|name| Some(directory.look(name).ok()?.modified)).max();
            newest.and_then(|at| at.elapsed().ok())
        };
        for home in [self.directory.clone(), self.directory.join("vendor")] {
            let Ok(home) = Directory::open(&self.state_directory, &home) else { continue };
            for name in home.names().unwrap_or_default() {
                let is_old = |directory: Directory| age(&directory).is_some_and(|age| age > ABANDONED);
                if name != "vendor" && home.directory(&name).is_ok_and(is_old) {
                    let _ = home.remove_all(&name);
                }
            }
        }
    }

    /// Writes a file that is not there, or not as it should be. One that is stays as it is, its time included.
    fn write(&self, path: &Path, text: &str) -> Result<(), Fault> {
        let is_right =
            || read::bytes(path, Within::Unlinked, FileKind::Bundle).is_ok_and(|found| found == text.as_bytes());
        if is_right() {
            return Ok(());
        }
        // Another process may load the file meanwhile: it finds all of it or nothing, and what two make, one has made.
        let written = atomic::create_at(&self.state_directory, path, text.as_bytes(), Durability::Volatile);
        match written {
            Ok(is_new) if is_new || is_right() => Ok(()),
            Ok(_) => atomic::write(&self.state_directory, path, text.as_bytes(), Durability::Volatile),
            Err(error) => Err(error),
        }
        .map_err(|error| io_fault(Operation::Write, path, &error))
    }

    /// Best effort: at worst it is written again.
    fn mark_as_used(&self, directory: &Path) {
        let mark = directory.join(USED);
        if mangrove_fs::touch(&self.state_directory, &mark).is_err() {
            let _ = atomic::write(&self.state_directory, &mark, b"", Durability::Volatile);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, time::SystemTime};

    use mangrove_domain::bundle::BundleFile;

    use super::*;

    fn bundle(code: &str) -> LoadedBundle {
        let vendor = BundleFile { path: "../vendor/aa/x.js".to_owned(), code: "export const x = 1;".into() };
        LoadedBundle { code: code.into(), vendor_files: vec![vendor] }
    }

    #[test]
    fn bundles_share_vendors_and_damage_is_mended() {
        let directory = tempfile::tempdir().unwrap();
        let code_directory = CodeDirectory::new(directory.path());
        let (first, second) =
            (code_directory.lay_out(&bundle("1;")).unwrap(), code_directory.lay_out(&bundle("2;")).unwrap());
        assert_ne!(first, second);
        let vendor = directory.path().join("deno/run/code/vendor/aa/x.js");
        assert_eq!(fs::read_to_string(&vendor).unwrap(), "export const x = 1;");
        let code = first.with_file_name("bundle.js");
        fs::write(&code, "other").unwrap();
        assert_eq!(code_directory.lay_out(&bundle("1;")).unwrap(), first);
        assert_eq!(fs::read_to_string(code).unwrap(), "1;");
    }

    #[test]
    fn code_that_a_process_may_be_loading_keeps_its_time() {
        let directory = tempfile::tempdir().unwrap();
        let code_directory = CodeDirectory::new(directory.path());
        let code = code_directory.lay_out(&bundle("1;")).unwrap().with_file_name("bundle.js");
        let vendor = directory.path().join("deno/run/code/vendor/aa/x.js");
        let long_ago = SystemTime::now() - Duration::from_hours(1);
        let files = [code.clone(), code.with_file_name("main.js"), vendor.clone()];
        let used = [code.with_file_name(USED), vendor.with_file_name(USED)];
        for file in files.iter().chain(&used) {
            fs::File::options().append(true).open(file).unwrap().set_modified(long_ago).unwrap();
        }
        code_directory.lay_out(&bundle("1;")).unwrap();
        let modified = |file: &PathBuf| fs::metadata(file).unwrap().modified().unwrap();
        for file in &files {
            assert_eq!(modified(file), long_ago, "{}", file.display());
        }
        for mark in &used {
            assert!(modified(mark) > long_ago, "{}", mark.display());
        }
    }

    #[test]
    fn only_what_nobody_loads_any_more_is_removed() {
        let directory = tempfile::tempdir().unwrap();
        let code_directory = CodeDirectory::new(directory.path());
        let old = code_directory.lay_out(&bundle("1;")).unwrap();
        let home = old.parent().unwrap().to_owned();
        let long_ago = SystemTime::now() - ABANDONED - Duration::from_mins(1);
        for file in fs::read_dir(&home).unwrap() {
            fs::File::options().append(true).open(file.unwrap().path()).unwrap().set_modified(long_ago).unwrap();
        }
        let new = code_directory.lay_out(&bundle("2;")).unwrap();
        assert!(!home.exists() && new.exists() && directory.path().join("deno/run/code/vendor/aa/x.js").exists());
    }
}
