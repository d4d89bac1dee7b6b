//! `deno.lock`, which comes before every lock of ours for the entries that it governs. It is only read.
//!
//! Versions 1 to 5 are known. The first has addresses only; the others hold a graph of package instances (a package with its resolved peers);
//! here it becomes one tree for each requirement, laid out by the rule of `resolve`. What cannot be understood
//! of one requirement is a failure of that requirement alone, reported when it is needed.

mod part;

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use mangrove_domain::{failure::Fault, problem::Code};
use mangrove_fs::{
    faults::{Operation, io_fault},
    read::{self, FileKind, ReadError, Within},
};
use serde_json::{Value, json};

use super::{
    lock::Stamp,
    packument::checkable,
    resolve::MAXIMUM_PACKAGES,
    specifier::{PackageId, Requirement, Specifier},
    tree::{InstallPath, Tree},
};

/// The versions that are understood, as the file spells them. In the first one the file is a list of addresses with their
/// digests, usually without a version.
const VERSIONS: [&str; 5] = ["1", "2", "3", "4", "5"];

/// A `deno.lock` cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// Which one.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It is no JSON.
    #[error("{path} is damaged; restore it, or let Deno write it again")]
    Damaged {
        /// Which one.
        path: PathBuf,
        /// With line and column.
        #[source]
        source: serde_json::Error,
    },
    /// Its version is none of those that are known.
    #[error(
        "{path} has version {found:?}, and this program knows 1 to 5; write it with a Deno that makes one of these"
    )]
    Version {
        /// Which one.
        path: PathBuf,
        /// As it stands there; empty if nothing does.
        found: String,
    },
    /// What it says of one requirement makes no sense.
    #[error("{path} is damaged at {requirement}: {problem}; let Deno write it again")]
    Entry {
        /// Which one.
        path: PathBuf,
        /// `npm:name@range`
        requirement: String,
        /// What is wrong.
        problem: String,
    },
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        let code = match &error {
            Error::Read { path, source } => return io_fault(Operation::Read, path, source),
            Error::Damaged { .. } => Code::MALFORMED_DOCUMENT,
            Error::Version { .. } | Error::Entry { .. } => Code::INVALID_DOCUMENT,
        };
        Fault::environment(code, "lock:deno.lock", super::chain(&error))
    }
}

/// The lock files that govern entries, each parsed again only if it changed.
#[derive(Debug, Default)]
pub struct DenoLocks {
    seen: Mutex<HashMap<PathBuf, (Stamp, Arc<DenoLock>)>>,
}

/// One lock file.
#[derive(Debug, Default)]
pub struct DenoLock {
    path: PathBuf,
    /// By requirement; the text says what is wrong with it.
    trees: BTreeMap<String, Result<Arc<Tree>, String>>,
    remotes: part::Remotes,
}

/// The bytes of a lock file. Its path is free of links: whoever found it has followed them.
fn contents(path: &Path) -> Result<Vec<u8>, ReadError> {
    read::bytes(path, Within::Unlinked, FileKind::Document)
}

impl DenoLocks {
    /// What the file says now; a missing one says nothing.
    ///
    /// # Errors
    /// [`Error`]
    pub fn load(&self, path: &Path) -> Result<Arc<DenoLock>, Error> {
        let failed = |source| Error::Read { path: path.to_owned(), source };
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(stamp) = Stamp::of(path).map_err(failed)? else {
            seen.remove(path);
            return Ok(Arc::new(DenoLock { path: path.to_owned(), ..DenoLock::default() }));
        };
        if let Some((known, lock)) = seen.get(path)
            && *known == stamp
        {
            return Ok(Arc::clone(lock));
        }
        let lock = Arc::new(DenoLock::parse(path, &contents(path).map_err(|error| failed(error.into()))?)?);
        seen.insert(path.to_owned(), (stamp, Arc::clone(&lock)));
        Ok(lock)
    }
}

impl DenoLock {
    /// What a requirement is locked to, if it is.
    ///
    /// # Errors
    /// [`Error::Entry`]
    pub fn tree(&self, requirement: &Requirement) -> Result<Option<Arc<Tree>>, Error> {
        // Deno writes a requirement without a range as one that any version meets.
        let any = requirement.range.is_empty().then(|| format!("{requirement}@*"));
        let keys = [Some(requirement.to_string()), any];
        let written = || keys.iter().flatten().find_map(|key| self.trees.get(key));
        match written().or_else(|| self.of_same_range(requirement)) {
            None => Ok(None),
            Some(Ok(tree)) => Ok(Some(Arc::clone(tree))),
            Some(Err(problem)) => Err(Error::Entry {
                path: self.path.clone(),
                requirement: requirement.to_string(),
                problem: problem.clone(),
            }),
        }
    }

    /// What a requirement of the same versions is locked to: Deno writes a range in its own words, `1` for `^1.0.0`.
    fn of_same_range(&self, requirement: &Requirement) -> Option<&Result<Arc<Tree>, String>> {
        let wanted = requirement.parsed_range()?;
        let prefix = format!("npm:{}@", requirement.name);
        let named = self.trees.range(prefix.clone()..).take_while(|(key, _)| key.starts_with(&prefix));
        named
            .filter(|(key, _)| {
                let other = key.parse::<Specifier>().ok();
                let other = other.and_then(|other| match other {
                    Specifier::Npm { requirement, .. } => requirement.parsed_range(),
                    Specifier::Builtin | Specifier::Unsupported => None,
                });
                other.is_some_and(|other| other == wanted)
            })
            .map(|(_, tree)| tree)
            .next()
    }

    /// Every tree that can be understood.
    pub fn trees(&self) -> impl Iterator<Item = &Arc<Tree>> {
        self.trees.values().filter_map(|tree| tree.as_ref().ok())
    }

    /// What these bytes of a file at `path` say.
    ///
    /// # Errors
    /// [`Error`]
    pub fn parse(path: &Path, bytes: &[u8]) -> Result<Self, Error> {
        let damaged = |source| Error::Damaged { path: path.to_owned(), source };
        let value: Value = serde_json::from_slice(bytes).map_err(damaged)?;
        let version = value.get("version");
        let version = version
            .map_or("1".to_owned(), |version| version.as_str().map_or_else(|| version.to_string(), str::to_owned));
        if !VERSIONS.contains(&version.as_str()) || !value.is_object() {
            return Err(Error::Version { path: path.to_owned(), found: version });
        }
        let value = if version == "1" { json!({ "remote": value }) } else { value };
        let value = if version == "2" { as_third(value) } else { value };
        let is_nested = matches!(version.as_str(), "2" | "3");
        let body = if is_nested { value.get("packages") } else { Some(&value) };
        let graph = Graph::of(body.and_then(|body| body.get("npm")));
        let specifiers = body.and_then(|body| body.get("specifiers")).and_then(Value::as_object);
        let mut trees = BTreeMap::new();
        for (key, target) in specifiers.into_iter().flatten() {
            let (Ok(Specifier::Npm { requirement, .. }), Some(target)) = (key.parse::<Specifier>(), target.as_str())
            else {
                continue;
            };
            let root = match target.strip_prefix("npm:") {
                Some(root) => root.to_owned(),
                None => format!("{}@{target}", requirement.name),
            };
            trees.insert(requirement.to_string(), graph.tree(&root).map(Arc::new));
        }
        Ok(Self { path: path.to_owned(), trees, remotes: part::Remotes::of(&value, body) })
    }
}

/// A file of version 2 in the form of version 3: its packages are those of npm, named without `npm:`.
fn as_third(mut file: Value) -> Value {
    let npm = file.get_mut("npm").map(Value::take).unwrap_or_default();
    let specifiers = npm.get("specifiers").and_then(Value::as_object).into_iter().flatten();
    let specifiers: serde_json::Map<String, Value> = specifiers
        .filter_map(|(key, target)| Some((format!("npm:{key}"), Value::from(format!("npm:{}", target.as_str()?)))))
        .collect();
    let packages = npm.get("packages").cloned().unwrap_or_default();
    if let Value::Object(members) = &mut file {
        members.insert("packages".to_owned(), json!({ "specifiers": specifiers, "npm": packages }));
    }
    file
}

/// The instances of one file by their keys, such as `react-dom@18.2.0_react@18.2.0`.
struct Graph<'a> {
    instances: BTreeMap<&'a str, &'a Value>,
    by_name: BTreeMap<&'a str, Vec<&'a str>>,
}

impl<'a> Graph<'a> {
    fn of(packages: Option<&'a Value>) -> Self {
        let instances: BTreeMap<&str, &Value> = packages
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
            .map(|(key, instance)| (key.as_str(), instance))
            .collect();
        let mut by_name: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for key in instances.keys() {
            by_name.entry(split(key).0).or_default().push(key);
        }
        Self { instances, by_name }
    }

    fn tree(&self, root: &str) -> Result<Tree, String> {
        let id = package(root)?;
        let top = InstallPath::top(&id.name);
        let mut tree = Tree { root: id, placed: BTreeMap::new(), integrity: BTreeMap::new() };
        let mut keys: BTreeMap<InstallPath, String> = BTreeMap::new();
        let mut pending = VecDeque::from([(top, root.to_owned())]);
        while let Some((place, key)) = pending.pop_front() {
            let id = package(&key)?;
            let instance = self.instances.get(key.as_str()).ok_or_else(|| format!("{key} is not there"))?;
            let integrity = instance.get("integrity").and_then(Value::as_str).filter(|text| checkable(text).is_some());
            let integrity = integrity.ok_or_else(|| format!("no integrity for {key}"))?;
            tree.integrity.insert(id.clone(), integrity.to_owned());
            tree.placed.insert(place.clone(), id);
            keys.insert(place.clone(), key);
            for (name, needed) in self.needs(instance)? {
                let visible = place.candidates(&name, false).find_map(|candidate| keys.get(&candidate));
                let chosen = match visible {
                    Some(found) if *found == needed => continue,
                    Some(_) => place.below(&name),
                    None => InstallPath::top(&name),
                };
                // Taken at once, so that its siblings see it.
                keys.insert(chosen.clone(), needed.clone());
                pending.push_back((chosen, needed));
            }
            if keys.len() > MAXIMUM_PACKAGES {
                return Err(format!("it needs more than {MAXIMUM_PACKAGES} packages"));
            }
        }
        Ok(tree)
    }

    /// What an instance needs: names in `node_modules` with the keys of what lies there.
    fn needs(&self, instance: &Value) -> Result<Vec<(String, String)>, String> {
        let mut needs = Vec::new();
        for (member, is_optional) in [("dependencies", false), ("optionalDependencies", true)] {
            let found: Vec<(String, String)> = match instance.get(member) {
                Some(Value::Object(members)) => {
                    members.iter().filter_map(|(name, key)| Some((name.clone(), key.as_str()?.to_owned()))).collect()
                }
                Some(Value::Array(items)) => {
                    items.iter().filter_map(Value::as_str).map(|text| self.need(text)).collect::<Result<_, _>>()?
                }
                _ => Vec::new(),
            };
            // Native code cannot be bundled; `resolve` leaves it out too.
            needs.extend(found.into_iter().filter(|(_, key)| !(is_optional && self.is_for_platform(key))));
        }
        Ok(needs)
    }

    /// `name`, `name@version`, `alias@npm:name` or `alias@npm:name@version`.
    fn need(&self, text: &str) -> Result<(String, String), String> {
        let (alias, rest) = split(text);
        let target = rest.strip_prefix("npm:").unwrap_or(if rest.is_empty() { alias } else { text });
        if !split(target).1.is_empty() {
            return Ok((alias.to_owned(), target.to_owned()));
        }
        match self.by_name.get(target).map(Vec::as_slice) {
            Some([only]) => Ok((alias.to_owned(), (*only).to_owned())),
            Some(_) => Err(format!("{text} has several versions, and none is named")),
            None => Err(format!("{text} is not there")),
        }
    }

    fn is_for_platform(&self, key: &str) -> bool {
        let instance = self.instances.get(key);
        ["os", "cpu"].into_iter().any(|member| instance.is_some_and(|instance| instance.get(member).is_some()))
    }
}

/// The name and what stands behind its `@`.
fn split(text: &str) -> (&str, &str) {
    match text.char_indices().skip(1).find(|(_, character)| *character == '@') {
        Some((at, _)) => (&text[..at], &text[at + 1..]),
        None => (text, ""),
    }
}

/// The package of an instance; its peers stand behind the first `_`, which no version holds.
fn package(key: &str) -> Result<PackageId, String> {
    let (name, version) = split(key);
    let version = version.split('_').next().unwrap_or(version);
    format!("{name}@{version}").parse().map_err(|error: super::specifier::PackageIdError| error.to_string())
}
