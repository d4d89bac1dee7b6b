//! Files of pulled extensions against what the lockfile names.
//!
//! This is for the doctor: every file that has a checksum is read, and nothing is remembered.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use mangrove_domain::{
    digest::Digest,
    drift::{Difference, Drift},
    observation::RootAccess,
    pulled::FilesChecksum,
    source::{Origin, RelativePath},
};

use mangrove_fs::read::{self, FileKind, ReadError, Reason, Within};

use super::spec::{RootSpec, Roots};
use crate::path::join;

/// Every difference, sorted.
pub(crate) fn find(roots: &Roots) -> Vec<Drift> {
    // One extension may lie below another: `@acme/aws` and `@acme/aws/cost`.
    let directories: BTreeSet<&Path> = roots.specs.iter().map(|spec| spec.directory.as_path()).collect();
    let mut found = BTreeSet::new();
    for spec in roots.specs.iter().filter(|spec| spec.origin == Origin::Pulled) {
        let checksums = roots.checksums.get(&spec.id).cloned().unwrap_or_default();
        found.extend(Extension { spec, directories: &directories }.compare(&checksums));
    }
    found.into_iter().collect()
}

struct Extension<'a> {
    spec: &'a RootSpec,
    directories: &'a BTreeSet<&'a Path>,
}

impl Extension<'_> {
    fn drift(&self, path: Option<&RelativePath>, difference: Difference) -> Drift {
        Drift { extension: Arc::clone(&self.spec.extension.name), path: path.cloned(), difference }
    }

    fn absolute(&self, path: &RelativePath) -> PathBuf {
        self.spec.directory.join(path.as_str())
    }

    fn compare(&self, checksums: &FilesChecksum) -> Vec<Drift> {
        if self.spec.access != RootAccess::Reachable {
            return vec![self.drift(None, Difference::Missing)];
        }
        let locked = &self.spec.locked_files;
        let mut found: Vec<Drift> = Vec::new();
        let (there, missing): (Vec<_>, Vec<_>) = locked.iter().partition(|path| self.absolute(path).is_file());
        found.extend(missing.iter().map(|path| self.drift(Some(path), Difference::Missing)));
        if !locked.is_empty() {
            let mut files = Vec::new();
            self.walk("", &mut files);
            let extra = files.iter().filter(|path| !locked.contains(*path));
            found.extend(extra.map(|path| self.drift(Some(path), Difference::Extra)));
        }
        match checksums {
            FilesChecksum::Each(recorded) => {
                let changed = recorded.iter().filter(|(path, digest)| self.is_changed(path, **digest));
                found.extend(changed.map(|(path, _)| self.drift(Some(path), Difference::Changed)));
            }
            FilesChecksum::All(_) if missing.is_empty() && !there.is_empty() => {
                let digest = |path: &&RelativePath| Some(((*path).clone(), self.digest(path).ok()?));
                if !checksums.is_of(&there.iter().filter_map(digest).collect()) {
                    found.push(self.drift(None, Difference::Unconfirmed));
                }
            }
            // With a file missing there is nothing to be confirmed.
            FilesChecksum::All(_) | FilesChecksum::Nothing => {}
        }
        found
    }

    fn digest(&self, path: &RelativePath) -> Result<Digest, ReadError> {
        let within = Within::Root(&self.spec.directory);
        read::bytes(self.absolute(path), within, FileKind::Source).map(|bytes| Digest::of(&bytes))
    }

    /// What the operating system does not give is reported by whoever needs it; what was not read because it is not a
    /// file of the extension any more is not what was locked.
    fn is_changed(&self, path: &RelativePath, locked: Digest) -> bool {
        match self.digest(path) {
            Ok(digest) => digest != locked,
            Err(error) => !matches!(error.reason, Reason::System(_)) && self.absolute(path).is_file(),
        }
    }

    /// The files that could take part in a bundle. Links are not followed: what they lead to is named or lies here too.
    fn walk(&self, directory: &str, files: &mut Vec<RelativePath>) {
        let Ok(entries) = fs::read_dir(self.spec.directory.join(directory)) else { return };
        for entry in entries.flatten() {
            let (Ok(name), Ok(kind)) = (entry.file_name().into_string(), entry.file_type()) else { continue };
            if name.starts_with('.') || name == "node_modules" {
                continue;
            }
            let below = join(directory, &name);
            if kind.is_dir() {
                if !self.directories.contains(entry.path().as_path()) {
                    self.walk(&below, files);
                }
            } else if kind.is_file() && takes_part(&name) {
                files.extend(RelativePath::parse(&below));
            }
        }
    }
}

fn takes_part(name: &str) -> bool {
    let extension = Path::new(name).extension().and_then(|extension| extension.to_str());
    matches!(extension, Some("ts" | "tsx" | "mts" | "cts" | "js" | "jsx" | "mjs" | "cjs" | "json"))
}
