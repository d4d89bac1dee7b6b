//! Extensions that were pulled from a registry: what the lockfile names, below `.swamp/pulled-extensions`.

use std::{collections::BTreeSet, fs, path::PathBuf, sync::Arc};

use mangrove_domain::{
    document::Node,
    failure::Fault,
    observation::RootAccess,
    problem::{Code, Problem},
    source::{Extension, Origin, RelativePath, RootId},
};
use mangrove_fs::stamp::NodeKind;

use super::{
    checksums::Checksums,
    spec::{RootInputs, RootSpec, Roots},
};
use crate::{
    layout::EXTENSIONS_DIRECTORY,
    manifest,
    path::join,
    problems::warning,
    view::{Listing, View},
};

/// Where pulled extensions lie.
pub(super) const DIRECTORY: &str = ".swamp/pulled-extensions";
/// The name of the lockfile.
const LOCKFILE: &str = "upstream_extensions.json";

/// An extension that the lockfile names.
struct Locked {
    name: String,
    version: String,
    /// When it was pulled, as the lockfile spells it.
    pulled_at: Option<String>,
    files: BTreeSet<RelativePath>,
    checksums: Checksums,
}

impl Locked {
    /// Names the pull that brought the extension ([`mangrove_domain::shipped::ShippedBundle::pull`]).
    fn pull(&self) -> Arc<str> {
        match &self.pulled_at {
            Some(at) => format!("{} pulled {at}", self.version).into(),
            None => self.version.as_str().into(),
        }
    }
}

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
        roots.checksums.insert(spec.id.clone(), locked.checksums.clone());
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
    let configured = inputs.layout.directory_setting("modelsDir").map(|directory| join(directory, LOCKFILE));
    let usual = join(EXTENSIONS_DIRECTORY, &join("models", LOCKFILE));
    let view: &mut View = match &mut inputs.code {
        Some(code) => code,
        None => inputs.base,
    };
    let paths = configured.into_iter().filter_map(|path| RelativePath::parse(&path).ok()).map(|path| path.to_string());
    for path in paths.chain([usual]) {
        if let Some(record) = view.document(&path) {
            let text = record.text().map(str::to_owned).map_err(|failure| failure.fault(&path, "lockfile"));
            return Some((path, text));
        }
    }
    None
}

/// The entries. One that cannot be understood leaves everything pulled as it is: it may name any.
fn parse(inputs: &RootInputs<'_>, path: &str, text: &str, roots: &mut Roots) -> Result<Vec<Locked>, Fault> {
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
        let name = key.as_str().unwrap_or_default();
        let read = if !is_name(name) {
            Err(wrong(key, format!("{name:?} is not an extension name: expected `@scope/name`")))
        } else if entry.as_map().is_none() {
            Err(wrong(entry, format!("the entry of {name} must be a mapping, found {}", entry.type_name())))
        } else {
            Ok(entry)
        };
        match read {
            Ok(entry) => locked.push(Locked {
                name: name.to_owned(),
                version: entry.get("version").and_then(Node::as_str).unwrap_or("0.0.0").to_owned(),
                pulled_at: entry.get("pulledAt").and_then(Node::as_str).map(str::to_owned),
                files: files(name, entry, path, roots),
                checksums: Checksums::read(entry, |text| below(name, text)),
            }),
            Err(fault) => {
                roots.lockfile_fault.get_or_insert(fault);
            }
        }
    }
    locked.sort_by(|left, right| left.name.cmp(&right.name));
    Ok(locked)
}

/// Two or more segments, none of which leads elsewhere.
fn is_name(name: &str) -> bool {
    let is_segment = |segment: &str| !segment.is_empty() && !segment.starts_with('.') && !segment.contains('\\');
    name.split('/').count() >= 2 && name.split('/').all(is_segment)
}

/// The locked files, below the root of the extension, however they are written.
fn files(name: &str, entry: &Node, lockfile: &str, roots: &mut Roots) -> BTreeSet<RelativePath> {
    let mut files = BTreeSet::new();
    for item in entry.get("files").and_then(Node::as_list).unwrap_or_default() {
        let text = item.as_str().unwrap_or_default();
        match below(name, text) {
            Some(path) => {
                files.insert(path);
            }
            None => roots.problems.push(
                Problem::error(
                    Code::INVALID_DOCUMENT,
                    lockfile,
                    format!("{name} locks a path that does not lead down: {}", item.to_json()),
                )
                .at(item.position(lockfile)),
            ),
        }
    }
    files
}

/// A locked path below the root of its extension, however it is written; `None` if it does not lead down.
fn below(name: &str, text: &str) -> Option<RelativePath> {
    let below = text.strip_prefix(&format!("{DIRECTORY}/{name}/")).unwrap_or(text);
    let leads_down = !text.split('/').any(|segment| segment == "..");
    RelativePath::parse(below).ok().filter(|_| leads_down)
}

fn spec(base: &mut View, locked: &Locked) -> RootSpec {
    let below = join(DIRECTORY, &locked.name);
    let unreachable = |message: String| {
        let cause = format!("root:pulled:{}", locked.name);
        RootAccess::Unreachable(Fault::environment(Code::ROOT_UNREACHABLE, cause, message))
    };
    let (directory, access) = match &base.directory(&below).listing {
        Listing::Names { .. } => match fs::canonicalize(base.root.absolute(&below)) {
            Ok(directory) => (directory, RootAccess::Reachable),
            Err(error) => (PathBuf::new(), unreachable(format!("{below} cannot be entered: {error}"))),
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
        locked_files: locked.files.clone(),
        pull: Some(locked.pull()),
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
    let has_manifest = names.iter().any(|below| below.name == manifest::FILE);
    if !name.is_empty() && !holds_locked && (!is_scope || has_manifest) {
        found.push(name.to_owned());
        return;
    }
    for below in names.iter().filter(|below| below.kind == NodeKind::Directory && !below.name.starts_with('.')) {
        strays(base, &join(name, &below.name), locked, found);
    }
}
