//! What a `deno.lock` says of an entry's packages.
//!
//! Only what the entry reaches counts, never the bytes of the file: a lock that moves for somebody else changes
//! nothing here.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::SystemTime,
};

use mangrove_domain::fingerprint::{Line, Part};
use serde_json::Value;

/// Lock files that were read, each once for as long as it is the same.
#[derive(Debug, Default)]
pub struct Locks {
    known: Mutex<BTreeMap<PathBuf, Known>>,
}

#[derive(Debug)]
struct Known {
    modified: SystemTime,
    size: u64,
    lock: Arc<Value>,
}

impl Locks {
    /// The lock that governs a source: beside the nearest `deno.json` or `deno.jsonc`, else beside the nearest
    /// `package.json`, up to the root. `None` if there is none or it cannot be understood.
    pub fn governing(&self, root: &Path, source: &str) -> Option<Arc<Value>> {
        let above = || Path::new(source).ancestors().skip(1).map(|directory| root.join(directory));
        let beside = |names: &[&str]| above().find(|directory| names.iter().any(|name| directory.join(name).is_file()));
        let directory = beside(&["deno.json", "deno.jsonc"]).or_else(|| beside(&["package.json"]))?;
        self.read(directory.join("deno.lock"))
    }

    fn read(&self, path: PathBuf) -> Option<Arc<Value>> {
        let metadata = fs::metadata(&path).ok()?;
        let (modified, size) = (metadata.modified().ok()?, metadata.len());
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = known.get(&path)
            && (known.modified, known.size) == (modified, size)
        {
            return Some(Arc::clone(&known.lock));
        }
        let lock: Arc<Value> = Arc::new(serde_json::from_slice(&fs::read(&path).ok()?).ok()?);
        known.insert(path, Known { modified, size, lock: Arc::clone(&lock) });
        Some(lock)
    }
}

/// The packages part of these specifiers: what each is locked to, with the integrity of everything that it reaches;
/// `unlocked` for what is not locked.
#[must_use]
pub fn part(lock: Option<&Value>, specifiers: &BTreeSet<String>) -> Part {
    let mut lines = Vec::new();
    let mut pending = Vec::new();
    for specifier in specifiers.iter().filter(|specifier| !specifier.starts_with("node:")) {
        if specifier.starts_with("http:") || specifier.starts_with("https:") {
            lines.push(Line::new(specifier, "remote"));
            // What a remote module imports is known to Deno alone.
            lines.extend(members(lock, "remote").map(|(address, digest)| Line::new(address, text(digest))));
            continue;
        }
        let requirement = requirement(specifier);
        match lock.and_then(|lock| lock.get("specifiers")?.get(requirement)?.as_str()) {
            Some(version) => {
                lines.push(Line::new(requirement, version));
                if let Some((scheme, name)) = requirement.split_once(':') {
                    pending.push((scheme.to_owned(), format!("{}@{version}", bare(name))));
                }
            }
            None => lines.push(Line::new(requirement, "unlocked")),
        }
    }
    let mut met = BTreeSet::new();
    while let Some((scheme, package)) = pending.pop() {
        if !met.insert((scheme.clone(), package.clone())) {
            continue;
        }
        let Some(entry) = lock.and_then(|lock| lock.get(scheme.as_str())?.get(package.as_str())) else { continue };
        let integrity = entry.get("integrity").map_or_else(|| "none".to_owned(), text);
        lines.push(Line::new(format!("{scheme}:{package}"), integrity));
        let needed = ["dependencies", "optionalDependencies", "optionalPeers"].into_iter();
        let needed = needed.filter_map(|key| entry.get(key)?.as_array()).flatten().filter_map(Value::as_str);
        pending.extend(needed.filter_map(|name| dependency(lock, &scheme, name)));
    }
    Part::of(lines)
}

/// A dependency as a lock spells it: `npm:x@1`, `jsr:@a/b@1`, `x@1.2.3`, or `x` where only one version is locked.
fn dependency(lock: Option<&Value>, scheme: &str, name: &str) -> Option<(String, String)> {
    let (scheme, name) = match name.split_once(':') {
        Some((scheme @ ("npm" | "jsr"), name)) => {
            let version = lock.and_then(|lock| lock.get("specifiers")?.get(format!("{scheme}:{name}"))?.as_str());
            match version {
                Some(version) => return Some((scheme.to_owned(), format!("{}@{version}", bare(name)))),
                None => (scheme, name),
            }
        }
        _ => (scheme, name),
    };
    let exact = |key: &str| key == name || bare(key) == name;
    members(lock, scheme).find(|(key, _)| exact(key)).map(|(key, _)| (scheme.to_owned(), key.to_owned()))
}

fn members<'a>(lock: Option<&'a Value>, key: &str) -> impl Iterator<Item = (&'a str, &'a Value)> {
    let members = lock.and_then(|lock| lock.get(key)?.as_object()).into_iter().flatten();
    members.map(|(key, value)| (key.as_str(), value))
}

/// `npm:@a/b@1` of `npm:@a/b@1/sub/path`.
fn requirement(specifier: &str) -> &str {
    let start = specifier.find(':').map_or(0, |colon| colon + 1);
    let start = start + usize::from(specifier[start..].starts_with('/'));
    let scope =
        if specifier[start..].starts_with('@') { specifier[start..].find('/').map_or(0, |slash| slash + 1) } else { 0 };
    let end = specifier[start + scope..].find('/').map_or(specifier.len(), |slash| start + scope + slash);
    &specifier[..end]
}

/// The name without its version.
fn bare(name: &str) -> &str {
    let scope = usize::from(name.starts_with('@'));
    name[scope..].find('@').map_or(name, |at| &name[..scope + at])
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn lock() -> Value {
        json!({
            "version": "5",
            "specifiers": { "npm:a@^1": "1.2.0", "jsr:@std/path@1": "1.0.8", "npm:other@1": "1.0.0", "jsr:@std/internal@^1": "1.0.1" },
            "npm": {
                "a@1.2.0": { "integrity": "sha512-a", "dependencies": ["b", "c@2.0.0"] },
                "b@3.0.0": { "integrity": "sha512-b" },
                "c@1.0.0": { "integrity": "sha512-c1" },
                "c@2.0.0": { "integrity": "sha512-c2" },
                "other@1.0.0": { "integrity": "sha512-o" },
            },
            "jsr": {
                "@std/path@1.0.8": { "integrity": "p", "dependencies": ["jsr:@std/internal@^1"] },
                "@std/internal@1.0.1": { "integrity": "i" },
            },
            "remote": { "https://x/y.ts": "digest" },
        })
    }

    fn lines(specifiers: &[&str]) -> String {
        let part = part(Some(&lock()), &specifiers.iter().map(|text| (*text).to_owned()).collect());
        let lines = part.lines().unwrap().into_iter().map(|line| format!("{}={}", line.key, line.value));
        lines.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn what_is_locked_counts_with_everything_that_it_reaches() {
        assert_eq!(
            lines(&["npm:a@^1/sub/path", "node:fs"]),
            "npm:a@1.2.0=sha512-a npm:a@^1=1.2.0 npm:b@3.0.0=sha512-b npm:c@2.0.0=sha512-c2"
        );
        assert_eq!(
            lines(&["jsr:@std/path@1/posix"]),
            "jsr:@std/internal@1.0.1=i jsr:@std/path@1=1.0.8 jsr:@std/path@1.0.8=p"
        );
    }

    #[test]
    fn a_lock_that_moves_for_somebody_else_changes_nothing() {
        let mut moved = lock();
        moved["npm"]["other@1.0.0"]["integrity"] = "sha512-new".into();
        let wanted = BTreeSet::from(["npm:a@^1".to_owned()]);
        assert_eq!(part(Some(&moved), &wanted), part(Some(&lock()), &wanted));
        moved["npm"]["b@3.0.0"]["integrity"] = "sha512-new".into();
        assert_ne!(part(Some(&moved), &wanted), part(Some(&lock()), &wanted));
    }

    #[test]
    fn what_is_not_locked_says_so() {
        assert_eq!(
            lines(&["jsr:@a/b@2", "https://x/z.ts"]),
            "https://x/y.ts=digest https://x/z.ts=remote jsr:@a/b@2=unlocked"
        );
        assert_eq!(part(None, &BTreeSet::new()), Part::of([]));
    }

    #[test]
    fn the_nearest_configuration_says_where_the_lock_is() {
        let directory = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = directory.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("deno.lock", r#"{"version": "5"}"#);
        let locks = Locks::default();
        let version = |locks: &Locks| {
            let lock = locks.governing(directory.path(), "extensions/models/a.ts")?;
            lock["version"].as_str().map(str::to_owned)
        };
        assert_eq!(version(&locks), None, "nothing governs");
        write("package.json", "{}");
        assert_eq!(version(&locks).as_deref(), Some("5"));
        write("extensions/deno.jsonc", "{}");
        assert_eq!(version(&locks), None, "it has none beside it");
        write("extensions/deno.lock", r#"{"version": "4"}"#);
        assert_eq!(version(&locks).as_deref(), Some("4"));
        write("extensions/deno.lock", r#"{"version": "4.1"}"#);
        assert_eq!(version(&locks).as_deref(), Some("4.1"));
    }
}
