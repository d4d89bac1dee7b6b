//! A tree on disk, for the time that it takes to look at it or to build it.

use std::{
    io,
    time::{Duration, SystemTime},
};

use mangrove_domain::failure::Fault;
use mangrove_fs::{
    directory::Directory,
    faults::{Operation, io_fault},
};

use crate::{
    archive::{self, Bounds},
    fetch::PackageFetcher,
    tree::Tree,
};

/// Scratch directories older than this were left behind by a process that died.
const ABANDONED: Duration = Duration::from_hours(24);

/// Unpacks the tree as `node_modules` directories into a directory that goes away when dropped.
pub(super) fn lay_out(fetcher: &PackageFetcher, tree: &Tree) -> Result<tempfile::TempDir, Fault> {
    let path = fetcher.cache.scratch();
    let failed = |error: io::Error| io_fault(Operation::Create, &path, &error);
    let scratch = Directory::make(fetcher.cache.root(), &path).map_err(failed)?;
    sweep(&scratch);
    let directory = scratch.temporary("unit-").map_err(failed)?;
    for (place, package) in &tree.placed {
        let integrity = tree.integrity.get(package).map_or("", String::as_str);
        let bytes = fetcher.cached_archive(package, integrity)?;
        let target = directory.path().join(place.to_string());
        archive::unpack(&package.to_string(), &bytes, Some(&target), Bounds::default())?;
    }
    Ok(directory)
}

#[expect(clippy::disallowed_methods, reason = "compared with the times that the file system gave")]
fn sweep(scratch: &Directory) {
    let now = SystemTime::now();
    for name in scratch.names().unwrap_or_default() {
        let modified = scratch.look(&name).map(|entry| entry.modified);
        if modified.is_ok_and(|at| now.duration_since(at).is_ok_and(|age| age > ABANDONED)) {
            let _ = scratch.remove_all(&name);
        }
    }
}

/// A file name that every file system and URL can hold and that is not taken.
pub(super) fn file_name(specifier: &str, is_taken: impl Fn(&str) -> bool) -> String {
    let stem: String = specifier
        .trim_start_matches('@')
        .chars()
        .map(|character| match character {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '-' | '_' | '.' => character,
            '/' => '.',
            _ => '_',
        })
        .collect();
    let numbered = (2_u32..).map(|number| format!("{stem}.{number}.js"));
    let mut names = std::iter::once(format!("{stem}.js")).chain(numbered);
    names.find(|name| !is_taken(name)).unwrap_or(stem)
}
