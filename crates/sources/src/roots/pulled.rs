//! Extensions that were pulled from a registry: what the lockfile names, below `.swamp/pulled-extensions`.

use std::{collections::BTreeSet, fs, path::PathBuf};

use mangrove_domain::{
    document::Node,
    failure::Fault,
    observation::RootAccess,
    position::Position,
    problem::{Code, Problem},
    pulled::{DIRECTORY, LOCKFILE, LockEntry, LockedPath, MANIFEST},
    source::{Extension, Origin, RootId},
};
use mangrove_fs::stamp::NodeKind;

use super::spec::{RootInputs, RootSpec, Roots, distrust};
use crate::{
    path::join,
    problems::warning,
    view::{Listing, View},
};

/// Adds the locked extensions, and reports what lies beside them.
pub(super) fn find(inputs: &mut RootInputs<'_>, roots: &mut Roots) {
    let file = lockfile(inputs);
    let is_missing = file.is_none();
    let locked = match file {
        Some((path, text)) => match text.and_then(|text| parse(inputs, &path, &text, roots)) {
            Ok(locked) => locked,
            Err(fault) => {
                roots.lockfile_fault.get_or_insert(fault);
                return;
            }
        },
        None => Vec::new(),
    };
    for locked in &locked {
        let spec = spec(inputs.base, locked);
        roots.checksums.insert(spec.id.clone(), locked.files_checksum.clone());
        roots.specs.push(spec);
    }
    let names: BTreeSet<&str> = locked.iter().map(|locked| locked.name.as_str()).collect();
    let mut stray = Vec::new();
    strays(inputs.base, "", &names, &mut stray);
    if is_missing && !stray.is_empty() {
        // A checkout that is under way, or a file that was lost: no reason to take away what works.
        let message = format!("{LOCKFILE} does not exist, although extensions were pulled; their rows are kept");
        roots.lockfile_fault = Some(Fault::environment(Code::UNREADABLE, "lockfile", message));
        return;
    }
    roots.problems.extend(stray.into_iter().map(|name| {
        warning(
            Code::NOT_LOCKED,
            &join(DIRECTORY, &name),
            format!("{name} was pulled, but is not listed in the lockfile: it is ignored"),
        )
        .advise("pull it again, or remove the directory")
    }));
}

/// The lockfile's path and text; `None` if there is none.
fn lockfile(inputs: &mut RootInputs<'_>) -> Option<(String, Result<String, Fault>)> {
    let places = inputs.layout.lockfile_places();
    let view: &mut View = match &mut inputs.code {
        Some(code) => code,
        None => inputs.base,
    };
    for path in places {
        if let Some(record) = view.document(&path) {
            let text = record.text().map(str::to_owned).map_err(|failure| failure.fault(&path, "lockfile"));
            return Some((path, text));
        }
    }
    None
}

/// The entries. One that cannot be understood leaves everything pulled as it is: it may name any.
fn parse(inputs: &RootInputs<'_>, path: &str, text: &str, roots: &mut Roots) -> Result<Vec<LockEntry>, Fault> {
    let document = inputs.documents.parse(path, text).map_err(|error| {
        Fault::deterministic(Code::MALFORMED_DOCUMENT, "lockfile", error.message).at(error.position)
    })?;
    let wrong = |node: &Node, message: String| {
        Fault::deterministic(Code::INVALID_DOCUMENT, "lockfile", message).at(node.position(path))
    };
    let members = document.root.as_map().ok_or_else(|| {
        let found = document.root.type_name();
        wrong(&document.root, format!("the lockfile must be a mapping of extensions, found {found}"))
    })?;
    let mut locked = Vec::new();
    for (key, entry) in members {
        match LockEntry::read(key, entry) {
            Ok(entry) => {
                roots.problems.extend(misleading(&entry, path));
                locked.push(entry);
            }
            Err((node, message)) => {
                roots.lockfile_fault.get_or_insert(wrong(node, message));
            }
        }
    }
    locked.sort_by(|left, right| left.name.cmp(&right.name));
    Ok(locked)
}

/// The paths of an entry that lead nowhere.
fn misleading(entry: &LockEntry, lockfile: &str) -> Vec<Problem> {
    let invalid = entry.files.iter().filter(|file| file.place == LockedPath::Invalid);
    let problem = invalid.map(|file| {
        let message = format!("{} locks a path that does not lead down: {}", entry.name, file.text);
        let (line, column) = file.position;
        let position = Position { file: lockfile.to_owned(), line, column };
        Problem::error(Code::INVALID_DOCUMENT, lockfile, message).at(position)
    });
    problem.collect()
}

fn spec(base: &mut View, locked: &LockEntry) -> RootSpec {
    let below = join(DIRECTORY, &locked.name);
    let unreachable = |message: String| {
        let cause = format!("root:pulled:{}", locked.name);
        RootAccess::Unreachable(Fault::environment(Code::ROOT_UNREACHABLE, cause, message))
    };
    let (directory, access) = match &base.directory(&below).listing {
        Listing::Names { .. } => match fs::canonicalize(base.root.absolute(&below)) {
            Ok(directory) => (directory, RootAccess::Reachable),
            Err(error) => {
                distrust(base);
                (PathBuf::new(), unreachable(format!("{below} cannot be entered: {error}")))
            }
        },
        Listing::Absent => (
            PathBuf::new(),
            unreachable(format!("{} is listed in the lockfile, but {below} does not exist", locked.name)),
        ),
        Listing::Outside => (PathBuf::new(), unreachable(format!("{below} leads outside the repository"))),
        Listing::Failed(failure) => {
            (PathBuf::new(), unreachable(format!("{below} cannot be listed: {}", failure.message)))
        }
    };
    RootSpec {
        id: RootId::pulled(&locked.name),
        origin: Origin::Pulled,
        directory,
        access,
        extension: Extension { name: locked.name.as_str().into(), version: locked.version.as_str().into() },
        is_recursive: false,
        only: None,
        locked_files: locked.inside(),
        pull: Some(locked.pull().into()),
    }
}

/// Extensions that lie there and are not locked: directories with a manifest, or the second level of names.
fn strays(base: &mut View, name: &str, locked: &BTreeSet<&str>, found: &mut Vec<String>) {
    if locked.contains(name) {
        return;
    }
    let record = base.directory(&join(DIRECTORY, name));
    let Listing::Names { names, .. } = &record.listing else {
        return;
    };
    let holds_locked = name.is_empty() || locked.iter().any(|known| known.starts_with(&format!("{name}/")));
    let is_scope = !name.contains('/');
    let has_manifest = names.iter().any(|below| below.name == MANIFEST);
    if !name.is_empty() && !holds_locked && (!is_scope || has_manifest) {
        found.push(name.to_owned());
        return;
    }
    for below in names.iter().filter(|below| below.kind == NodeKind::Directory && !below.name.starts_with('.')) {
        strays(base, &join(name, &below.name), locked, found);
    }
}
