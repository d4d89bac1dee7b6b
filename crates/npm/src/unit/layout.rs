//! A tree on disk, for the time that it takes to look at it or to build it.

use std::{
    ffi::OsStr,
    io,
    path::Path,
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

/// Ends of the names of files that no import loads: half of the files of a usual package.
const OF_NO_USE: [&str; 11] = [
    ".d.ts",
    ".d.mts",
    ".d.cts",
    ".js.map",
    ".mjs.map",
    ".cjs.map",
    ".css.map",
    ".ts.map",
    ".mts.map",
    ".cts.map",
    ".tsbuildinfo",
];

/// Names of texts for people, without their `.md`.
const FOR_PEOPLE: [&str; 3] = ["readme", "changelog", "history"];

/// False for a file of a package that no code imports: declarations of types, source maps, texts for people.
fn is_of_use(path: &Path) -> bool {
    let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default().to_ascii_lowercase();
    let is_for_people = name.strip_suffix(".md").is_some_and(|stem| FOR_PEOPLE.contains(&stem));
    !is_for_people && !OF_NO_USE.iter().any(|end| name.ends_with(end))
}

/// Unpacks the tree as `node_modules` directories, without what no import can reach, into a directory that goes away when dropped.
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
        archive::unpack_some(&package.to_string(), &bytes, Some(&target), Bounds::default(), is_of_use)?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn declarations_maps_and_texts_are_of_no_use_and_everything_else_may_be() {
        for name in ["index.d.ts", "lib/a.d.mts", "b.D.CTS", "dist/index.js.map", "c.d.ts.map", "docs/README.md"] {
            assert!(!is_of_use(Path::new(name)), "{name}");
        }
        for name in
            ["index.ts", "d.ts.js", "world.map", "page.md", "data.json", "package.json", "LICENSE", "a.node", "b.wasm"]
        {
            assert!(is_of_use(Path::new(name)), "{name}");
        }
    }
}
