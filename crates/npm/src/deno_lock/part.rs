//! What a `deno.lock` says of an entry that Deno builds: the packages part of its fingerprint.
//!
//! Only what the entry reaches counts, never the bytes of the file: a lock that moves for somebody else changes
//! nothing here.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use mangrove_domain::{
    digest::Digest,
    fingerprint::{Line, Part},
};
use serde_json::Value;

use super::{DenoLock, DenoLocks, Error, split};
use crate::specifier::{Requirement, Specifier};

/// What only Deno serves: packages of JSR by `@scope/name@version`, what `jsr:` requirements are locked to, and
/// addresses.
#[derive(Debug, Default)]
pub(super) struct Remotes {
    requirements: BTreeMap<String, String>,
    packages: BTreeMap<String, Package>,
    /// Digests of addresses, and where addresses lead that lead elsewhere.
    addresses: BTreeMap<String, String>,
}

#[derive(Debug)]
struct Package {
    integrity: String,
    /// `jsr:@a/b@1`, `npm:x@1`, or without a version where only one is locked.
    dependencies: Vec<String>,
}

impl Remotes {
    /// Of a file; `body` is where its packages stand.
    pub(super) fn of(file: &Value, body: Option<&Value>) -> Self {
        let members = |value: Option<&Value>, key: &str| -> Vec<(String, Value)> {
            let members = value.and_then(|value| value.get(key)?.as_object()).into_iter().flatten();
            members.map(|(key, value)| (key.clone(), value.clone())).collect()
        };
        let requirements = members(body, "specifiers").into_iter().filter_map(|(key, target)| {
            let name = split(key.strip_prefix("jsr:")?).0;
            let target = target.as_str()?;
            let package = target.strip_prefix("jsr:").map_or_else(|| format!("{name}@{target}"), str::to_owned);
            Some((key, package))
        });
        let packages = members(body, "jsr").into_iter().map(|(key, package)| {
            let dependencies = package.get("dependencies").and_then(Value::as_array).into_iter().flatten();
            let dependencies = dependencies.filter_map(|name| Some(name.as_str()?.to_owned())).collect();
            let integrity = package.get("integrity").map_or_else(|| "none".to_owned(), text);
            (key, Package { integrity, dependencies })
        });
        let addresses = members(Some(file), "remote").into_iter().chain(members(Some(file), "redirects"));
        Self {
            requirements: requirements.collect(),
            packages: packages.collect(),
            addresses: addresses.map(|(address, value)| (address, text(&value))).collect(),
        }
    }

    /// The package of a `jsr:` requirement; of one without a version also the only one of its name.
    fn package(&self, requirement: &str) -> Option<&str> {
        let any = format!("{requirement}@*");
        if let Some(package) = self.requirements.get(requirement).or_else(|| self.requirements.get(&any)) {
            return Some(package);
        }
        let name = requirement.strip_prefix("jsr:")?;
        self.packages.keys().map(String::as_str).find(|package| split(package).0 == name)
    }
}

impl DenoLocks {
    /// The packages part of specifiers that Deno resolves by this lock file: what each is locked to with everything
    /// that it reaches; `unlocked` for what is not locked. A lock that we do not understand counts as a whole, since
    /// Deno may understand it.
    #[must_use]
    pub fn part(&self, lock: Option<&Path>, specifiers: &BTreeSet<String>) -> Part {
        let wanted: Vec<Wanted<'_>> = specifiers.iter().filter_map(|specifier| Wanted::of(specifier)).collect();
        let Some(path) = lock.filter(|_| !wanted.is_empty()) else { return DenoLock::default().lines(wanted) };
        match self.load(path) {
            Ok(lock) => lock.lines(wanted),
            Err(error) => {
                tracing::debug!(%error, "the lock counts as a whole");
                let digest = super::contents(path).map(|bytes| Digest::of(&bytes).to_string());
                Part::of([Line::new("deno.lock", digest.unwrap_or_else(|_| "unreadable".to_owned()))])
            }
        }
    }
}

/// What is to be looked up.
enum Wanted<'a> {
    Npm(Requirement),
    Jsr(&'a str),
    Address(&'a str),
    Unknown(&'a str),
}

impl<'a> Wanted<'a> {
    /// `None` for what is built in.
    fn of(specifier: &'a str) -> Option<Self> {
        match specifier.parse::<Specifier>() {
            Ok(Specifier::Builtin) => None,
            Ok(Specifier::Npm { requirement, .. }) => Some(Wanted::Npm(requirement)),
            Ok(Specifier::Unsupported) | Err(_) => Some(match specifier.split_once(':') {
                Some(("jsr", _)) => Wanted::Jsr(without_sub_path(specifier)),
                Some(("http" | "https", _)) => Wanted::Address(specifier),
                Some(_) | None => Wanted::Unknown(specifier),
            }),
        }
    }
}

impl DenoLock {
    /// Those of these specifiers that are not locked, in their order. What is built in needs no lock.
    ///
    /// # Errors
    /// [`Error::Entry`] for what is locked in a way that makes no sense.
    pub fn unlocked<'a>(&self, specifiers: impl IntoIterator<Item = &'a str>) -> Result<Vec<&'a str>, Error> {
        let mut unlocked = Vec::new();
        for specifier in specifiers {
            let is_locked = match Wanted::of(specifier) {
                Some(Wanted::Npm(requirement)) => self.tree(&requirement)?.is_some(),
                Some(Wanted::Jsr(requirement)) => self.remotes.package(requirement).is_some(),
                Some(Wanted::Address(address)) => self.remotes.addresses.contains_key(address),
                // Nobody serves the unknown ones; whoever tries says so.
                Some(Wanted::Unknown(_)) | None => true,
            };
            if !is_locked {
                unlocked.push(specifier);
            }
        }
        Ok(unlocked)
    }

    /// Everything that it locks, by name: requirements, packages and addresses.
    #[must_use]
    pub fn names(&self) -> BTreeSet<String> {
        let Remotes { requirements, packages, addresses } = &self.remotes;
        let npm = self.trees().flat_map(|tree| tree.placed.values()).map(|package| format!("npm:{package}"));
        let jsr = packages.keys().map(|package| format!("jsr:{package}"));
        let written = self.trees.keys().chain(requirements.keys()).chain(addresses.keys()).cloned();
        written.chain(npm).chain(jsr).collect()
    }

    fn lines(&self, wanted: Vec<Wanted<'_>>) -> Part {
        let mut lines = Vec::new();
        let mut pending = Vec::new();
        for wanted in wanted {
            match wanted {
                Wanted::Npm(requirement) => lines.extend(self.npm(&requirement)),
                Wanted::Jsr(requirement) => match self.remotes.package(requirement) {
                    Some(package) => {
                        lines.push(Line::new(requirement, package));
                        pending.push(package);
                    }
                    None => lines.push(Line::new(requirement, "unlocked")),
                },
                Wanted::Address(address) => {
                    lines.push(Line::new(address, "remote"));
                    // What a remote module imports is known to Deno alone.
                    lines.extend(self.remotes.addresses.iter().map(|(address, value)| Line::new(address, value)));
                }
                Wanted::Unknown(specifier) => lines.push(Line::new(specifier, "unlocked")),
            }
        }
        let mut met = BTreeSet::new();
        while let Some(name) = pending.pop() {
            let Some(package) = self.remotes.packages.get(name).filter(|_| met.insert(name)) else { continue };
            lines.push(Line::new(format!("jsr:{name}"), package.integrity.as_str()));
            for dependency in &package.dependencies {
                match Wanted::of(dependency) {
                    Some(Wanted::Npm(requirement)) => lines.extend(self.npm(&requirement)),
                    Some(Wanted::Jsr(requirement)) => pending.extend(self.remotes.package(requirement)),
                    Some(Wanted::Address(_) | Wanted::Unknown(_)) | None => {}
                }
            }
        }
        Part::of(lines)
    }

    /// The lines that the embedded bundler's packages part has, too.
    fn npm(&self, requirement: &Requirement) -> Vec<Line> {
        match self.tree(requirement) {
            Ok(Some(tree)) => tree.lines().collect(),
            Ok(None) if requirement.range.is_empty() => {
                // A dependency whose version goes without saying.
                let named = self.trees().filter(|tree| tree.root.name == requirement.name);
                let lines: Vec<Line> = named.flat_map(|tree| tree.lines()).collect();
                if lines.is_empty() { vec![Line::new(requirement.to_string(), "unlocked")] } else { lines }
            }
            Ok(None) => vec![Line::new(requirement.to_string(), "unlocked")],
            Err(error) => vec![Line::new(requirement.to_string(), error.to_string())],
        }
    }
}

/// `jsr:@a/b@1` of `jsr:@a/b@1/sub/path`.
fn without_sub_path(specifier: &str) -> &str {
    let start = specifier.find('@').unwrap_or(0);
    let slashes = specifier.char_indices().skip_while(|(at, _)| *at < start).filter(|(_, character)| *character == '/');
    slashes.map(|(at, _)| at).nth(1).map_or(specifier, |end| &specifier[..end])
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
