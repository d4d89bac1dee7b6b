//! `.swamp-sources.yaml`: directories outside, whose extensions count as well.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use mangrove_domain::{
    document::Node,
    failure::Fault,
    glob::{self, Glob},
    kind_layout::KindLayout,
    nearest,
    observation::RootAccess,
    problem::Code,
    source::{Extension, MOUNTS_FILE as FILE, Origin, RootId},
};
use mangrove_fs::{
    stamp::NodeKind,
    walk::{Budget, Cut},
};

use super::spec::{RootInputs, RootSpec, Roots, distrust, look, names};
use crate::{
    problems::warning,
    view::{Listing, View},
    workflows::DIRECTORY as WORKFLOWS,
};

/// How many directories one entry of the list may name.
const MOST_MOUNTS: usize = 1000;

/// One entry of the list.
struct Source {
    /// As it is written, without what makes no difference.
    path: String,
    is_recursive: bool,
    only: Option<BTreeSet<String>>,
}

/// The keys of an entry.
const KEYS: [&str; 3] = ["path", "only", "recursive"];

/// Adds the configured mounts.
pub(super) fn find(inputs: &mut RootInputs<'_>, roots: &mut Roots) {
    let Some(record) = inputs.base.document(FILE) else {
        return;
    };
    let text = match record.text() {
        Ok(text) => text,
        Err(failure) => {
            roots.mounts_fault = Some(failure.fault(FILE, "source-mounts"));
            return;
        }
    };
    let root = match inputs.documents.parse(FILE, text) {
        Ok(document) => document.root,
        Err(error) => {
            let fault = Fault::deterministic(Code::MALFORMED_DOCUMENT, "source-mounts", error.message);
            roots.mounts_fault = Some(fault.at(error.position));
            return;
        }
    };
    let mut budget = Budget::new(inputs.walk_bounds);
    budget.resume();
    let mut met = BTreeSet::new();
    for (node, source) in sources(&root, inputs.kinds, roots) {
        let position = node.position(FILE);
        if !met.insert(source.path.clone()) {
            let message = format!("{} is listed twice; the first entry counts", source.path);
            roots.problems.push(warning(Code::INVALID_DOCUMENT, FILE, message).at(position));
            continue;
        }
        match Glob::parse(&source.path) {
            Ok(pattern) => {
                let mut expansion =
                    Expansion { inputs, variables: &mut roots.variables, budget: &mut budget, cut: None };
                let found = expansion.mounts(&pattern, &source);
                let cut = expansion.cut.map(|cut| cut.to_string());
                let cut = cut.or_else(|| {
                    (found.len() > MOST_MOUNTS).then(|| format!("it matches more than {MOST_MOUNTS} directories"))
                });
                if let Some(cut) = cut {
                    // What it brought before is kept: which directories it means is not known now.
                    let message = format!("`{}` is not expanded: {cut}", source.path);
                    let fault = Fault::environment(Code::WALK_CUT, "source-mounts", message).at(position);
                    roots.mounts_fault.get_or_insert(fault);
                    continue;
                }
                let is_plain = pattern.alternatives().iter().all(|path| !glob::is_pattern(path));
                if found.is_empty() && !is_plain {
                    let message = format!("no directory matches `{}`", source.path);
                    roots.problems.push(warning(Code::ROOT_UNREACHABLE, FILE, message).at(position));
                }
                let known: BTreeSet<RootId> = roots.specs.iter().map(|spec| spec.id.clone()).collect();
                roots.specs.extend(found.into_iter().filter(|spec| !known.contains(&spec.id)));
                roots.mount_patterns.push(pattern);
            }
            Err(error) => refuse(&node, error.to_string(), roots),
        }
    }
}

/// The entries of the list. One that cannot be understood leaves all mounted rows as they are: it may name any.
fn sources(root: &Node, kinds: &[KindLayout], roots: &mut Roots) -> Vec<(Node, Source)> {
    let list = match root.get("sources") {
        Some(node) => node.as_list().map(<[Node]>::to_vec).ok_or(node),
        None if root.as_map().is_some_and(<[_]>::is_empty) || root.type_name() == "nothing" => Ok(Vec::new()),
        None => Err(root),
    };
    let items = match list {
        Ok(items) => items,
        Err(node) => {
            if node.type_name() != "nothing" {
                refuse(node, format!("expected `sources:` with a list, found {}", node.type_name()), roots);
            }
            return Vec::new();
        }
    };
    let mut found = Vec::new();
    for item in items {
        match source(&item, kinds, roots) {
            Ok(source) => found.push((item, source)),
            Err((node, message)) => refuse(&node, message, roots),
        }
    }
    found
}

fn refuse(node: &Node, message: String, roots: &mut Roots) {
    let fault = Fault::deterministic(Code::INVALID_DOCUMENT, "source-mounts", message);
    roots.mounts_fault.get_or_insert(fault.at(node.position(FILE)));
}

fn source(item: &Node, kinds: &[KindLayout], roots: &mut Roots) -> Result<Source, (Node, String)> {
    for (key, _) in item.as_map().unwrap_or_default() {
        let name = key.as_str().unwrap_or_default();
        // Other programs read the file too: a key that is none of ours, nor nearly, is theirs.
        if let Some(hint) = nearest::hint(name, KEYS).filter(|_| !KEYS.contains(&name)) {
            roots.problems.push(
                warning(Code::UNKNOWN_SETTING, FILE, format!("a source has no `{name}`; it is ignored"))
                    .at(key.position(FILE))
                    .advise(hint),
            );
        }
    }
    let path_node = if item.as_map().is_some() { item.get("path") } else { Some(item) };
    let path_node = path_node.ok_or_else(|| (item.clone(), "a source needs a `path`".to_owned()))?;
    let wrong = |node: &Node, what: &str| (node.clone(), format!("{what}, found {}", node.type_name()));
    let text = path_node.as_str().ok_or_else(|| wrong(path_node, "`path` must be a string"))?;
    let mut path = normalise(&without_variable_braces(text));
    let mut is_recursive = match item.get("recursive") {
        None => false,
        Some(node) => match node.to_json() {
            mangrove_domain::json::Json::Bool(value) => value,
            _ => return Err(wrong(node, "`recursive` must be true or false")),
        },
    };
    if path == "**" || path.ends_with("/**") {
        is_recursive = true;
        path = normalise(path.trim_end_matches("**"));
    }
    if path.split('/').any(|segment| segment.contains("**")) {
        return Err((path_node.clone(), "`**` is only allowed at the end of a path".to_owned()));
    }
    if path.is_empty() {
        return Err((path_node.clone(), "`path` is empty".to_owned()));
    }
    let only = match item.get("only") {
        None => None,
        Some(node) => {
            let list = node.as_list().ok_or_else(|| wrong(node, "`only` must be a list of kinds"))?;
            let mut only = BTreeSet::new();
            for kind in list {
                let name = kind.as_str().ok_or_else(|| wrong(kind, "`only` must be a list of kinds"))?;
                // Workflows are no kind of extension.
                let known = || kinds.iter().flat_map(names).chain([WORKFLOWS]);
                if !known().any(|known| known == name) {
                    roots.problems.push(
                        warning(Code::UNKNOWN_SETTING, FILE, format!("no loader knows the kind `{name}`"))
                            .at(kind.position(FILE))
                            .advise_if(nearest::hint(name, known())),
                    );
                }
                only.insert(name.to_owned());
            }
            Some(only)
        }
    };
    Ok(Source { path, is_recursive, only })
}

/// Braces around the name of a variable are no alternatives: `${A}/x` becomes `$A/x`, `${A}x` becomes `$(A)x`.
fn without_variable_braces(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        let Some((name, tail)) = after.split_once('}') else {
            break;
        };
        let is_joined = tail.starts_with(is_name_letter);
        plain.push_str(before);
        plain.push_str(&if is_joined { format!("$({name})") } else { format!("${name}") });
        rest = tail;
    }
    plain.push_str(rest);
    plain
}

const fn is_name_letter(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_'
}

/// Without `.` segments, repeated and trailing slashes; `.` for the repository itself.
fn normalise(text: &str) -> String {
    let segments: Vec<&str> = text.split('/').filter(|segment| !segment.is_empty() && *segment != ".").collect();
    match (text.starts_with('/'), segments.is_empty()) {
        (true, _) => format!("/{}", segments.join("/")),
        (false, true) if text.is_empty() => String::new(),
        (false, true) => ".".to_owned(),
        (false, false) => segments.join("/"),
    }
}

struct Expansion<'a, 'b> {
    inputs: &'a mut RootInputs<'b>,
    variables: &'a mut BTreeMap<String, Option<String>>,
    budget: &'a mut Budget,
    /// Set where not every directory was looked at.
    cut: Option<Cut>,
}

/// A directory on the way: as it is written, and where it is.
#[derive(Clone)]
struct Candidate {
    written: Vec<String>,
    directory: PathBuf,
}

impl Expansion<'_, '_> {
    /// The mounts that a pattern names: one for each path without wildcards, else one for each directory.
    fn mounts(&mut self, pattern: &Glob, source: &Source) -> Vec<RootSpec> {
        let mut found: BTreeMap<String, RootSpec> = BTreeMap::new();
        for path in pattern.alternatives() {
            match self.expand(path) {
                Ok(candidates) => {
                    for candidate in candidates {
                        let written = match candidate.written.join("/") {
                            written if written.is_empty() => "/".to_owned(),
                            written => written,
                        };
                        let place = self.enter(&candidate.directory, &written, glob::is_pattern(path));
                        if let Some(place) = place {
                            let spec = spec(&written, place, source);
                            found.entry(written).or_insert(spec);
                        }
                    }
                }
                Err(variable) => {
                    let message = format!("the environment variable {variable} in `{path}` is not set");
                    let fault = unreachable(path, message);
                    found.entry(path.clone()).or_insert_with(|| spec(path, Err(fault), source));
                }
            }
        }
        found.into_values().collect()
    }

    /// The directories that a path names; the name of a variable that is not set.
    fn expand(&mut self, path: &str) -> Result<Vec<Candidate>, String> {
        let base = self.inputs.base.root.directory.clone();
        let mut candidates = vec![Candidate { written: Vec::new(), directory: base }];
        for (index, written) in path.split('/').enumerate() {
            if written.is_empty() && index == 0 {
                candidates[0] = Candidate { written: vec![String::new()], directory: PathBuf::from("/") };
                continue;
            }
            let segment = self.substitute(written, index == 0)?;
            let mut next = Vec::new();
            for candidate in candidates {
                if glob::is_pattern(written) {
                    if !self.may_look() {
                        return Ok(Vec::new());
                    }
                    for name in directories(self.inputs.surroundings, &candidate.directory, &segment) {
                        let mut extended = candidate.clone();
                        extended.directory.push(&name);
                        extended.written.push(name);
                        next.push(extended);
                    }
                } else {
                    let mut extended = candidate;
                    extended.directory.push(&segment);
                    extended.written.push(written.to_owned());
                    next.push(extended);
                }
            }
            candidates = next;
        }
        Ok(candidates)
    }

    fn may_look(&mut self) -> bool {
        let taken = self.budget.take();
        self.cut = self.cut.or(taken.err());
        self.cut.is_none()
    }

    /// `$NAME` and `$(NAME)` by their values; a leading `~` by the home directory.
    fn substitute(&mut self, segment: &str, is_first: bool) -> Result<String, String> {
        if is_first && segment == "~" {
            return self.value("HOME");
        }
        let mut text = String::new();
        let mut rest = segment;
        while let Some(at) = rest.find('$') {
            text.push_str(&rest[..at]);
            rest = &rest[at + 1..];
            let enclosed = rest.strip_prefix('(').and_then(|rest| rest.split_once(')'));
            let end = rest.find(|letter| !is_name_letter(letter)).unwrap_or(rest.len());
            let (name, tail) = enclosed.unwrap_or(rest.split_at(end));
            if name.is_empty() {
                text.push('$');
                continue;
            }
            text.push_str(&self.value(name)?);
            rest = tail;
        }
        text.push_str(rest);
        Ok(text)
    }

    fn value(&mut self, name: &str) -> Result<String, String> {
        let value = self.inputs.environment.get(name).filter(|value| !value.is_empty()).cloned();
        self.variables.insert(name.to_owned(), value.clone());
        value.ok_or_else(|| name.to_owned())
    }

    /// Where a mount really lies; `None` if a match of a pattern is no directory.
    fn enter(&mut self, directory: &Path, written: &str, is_match: bool) -> Option<Result<PathBuf, Fault>> {
        if is_match && !self.may_look() {
            return None;
        }
        let seen = look(self.inputs.surroundings, directory);
        let kind = seen.and_then(|seen| seen.kind());
        let real = fs::canonicalize(directory);
        if kind == Some(NodeKind::Directory) && real.is_err() {
            distrust(self.inputs.surroundings);
        }
        match (kind, real) {
            (Some(NodeKind::Directory), Ok(real)) => Some(Ok(real)),
            _ if is_match => None,
            (Some(_), Ok(_)) => Some(Err(unreachable(written, format!("the mount `{written}` is not a directory")))),
            (_, Err(error)) => {
                Some(Err(unreachable(written, format!("the mount `{written}` cannot be entered: {error}"))))
            }
            (None, Ok(_)) => Some(Err(unreachable(written, format!("the mount `{written}` cannot be read")))),
        }
    }
}

fn spec(written: &str, place: Result<PathBuf, Fault>, source: &Source) -> RootSpec {
    let (directory, access) = match place {
        Ok(directory) => (directory, RootAccess::Reachable),
        Err(fault) => (PathBuf::new(), RootAccess::Unreachable(fault)),
    };
    let is_name = |segment: &&str| !matches!(*segment, "" | "." | "..");
    let name = written.rsplit('/').find(is_name).unwrap_or("repository").trim_start_matches('$');
    RootSpec {
        id: RootId::mount(written),
        origin: Origin::Mounted,
        directory,
        access,
        extension: Extension { name: format!("@mount/{name}").into(), version: "0.0.0".into() },
        is_recursive: source.is_recursive,
        only: source.only.clone(),
        locked_files: BTreeSet::new(),
        pull: None,
    }
}

fn unreachable(path: &str, message: String) -> Fault {
    Fault::environment(Code::ROOT_UNREACHABLE, format!("root:mount:{path}"), message)
}

/// The directories in `directory` whose names match, sorted; hidden ones only if the pattern says so.
fn directories(surroundings: &mut View, directory: &Path, pattern: &str) -> Vec<String> {
    if look(surroundings, directory).is_none() {
        return Vec::new();
    }
    let Some(real) = fs::canonicalize(directory).ok().and_then(|real| real.to_str().map(str::to_owned)) else {
        return Vec::new();
    };
    let record = surroundings.directory(real.trim_start_matches('/'));
    let Listing::Names { names, .. } = &record.listing else {
        return Vec::new();
    };
    let accepts = |name: &str| {
        (pattern.starts_with('.') || !name.starts_with('.'))
            && name != "node_modules"
            && glob::matches_name(pattern, name)
    };
    let may_be_directory = |kind| matches!(kind, NodeKind::Directory | NodeKind::Link);
    names
        .iter()
        .filter(|name| may_be_directory(name.kind) && accepts(&name.name))
        .map(|name| name.name.clone())
        .collect()
}
