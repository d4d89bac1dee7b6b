//! Lock files: what a requirement resolved to, so that it resolves the same way tomorrow.
//!
//! `mangrove.lock`, committed, comes first and is never written by a build; `.mangrove/npm.lock` is ours. Both have
//! one format (`design/packages.md`). A file that cannot be understood is reported and left alone: to lock
//! again silently would change what runs.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use mangrove_domain::{failure::Fault, ports::RequiredPackages, problem::Code};
use mangrove_fs::{
    atomic::{self, Durability},
    faults::{Operation, io_fault},
    read::{self, FileKind, Within},
};
use serde::{Deserialize, Serialize};

use super::{
    packument::checkable,
    specifier::{PackageId, Requirement, Specifier},
    tree::{InstallPath, Tree},
};

/// The layout of the file.
const VERSION: u32 = 1;

/// What a lock file says: trees by requirement, in its canonical spelling.
pub type Trees = BTreeMap<String, Arc<Tree>>;

/// A lock file.
pub struct Lock {
    path: PathBuf,
    /// The file whose operating system lock guards changes; it dies with its process (fault 39).
    guard: PathBuf,
    seen: Mutex<Option<(Option<Stamp>, Arc<Trees>)>>,
}

/// What keeps requirements in a lock.
#[derive(Debug, Default)]
pub struct Need {
    requirements: BTreeSet<String>,
    packages: BTreeSet<String>,
}

impl Need {
    /// The need of sources with these imports, and of bundles that were made of these packages.
    #[must_use]
    pub fn of(required: &RequiredPackages) -> Self {
        let requirements = required.specifiers.iter().filter_map(|specifier| match specifier.parse() {
            Ok(Specifier::Npm { requirement, .. }) => Some(requirement.to_string()),
            Ok(Specifier::Builtin | Specifier::Unsupported) | Err(_) => None,
        });
        Self { requirements: requirements.collect(), packages: required.packages.clone() }
    }

    /// True if a requirement that is locked to this tree is needed.
    #[must_use]
    pub fn has(&self, requirement: &str, tree: &Tree) -> bool {
        self.requirements.contains(requirement) || self.packages.contains(&tree.root.to_string())
    }
}

/// Tells one state of a file from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    inode: u64,
    size: u64,
    modified: (i64, i64),
}

impl Stamp {
    /// Of a file as it is now; `None` if there is none.
    pub(super) fn of(path: &Path) -> io::Result<Option<Self>> {
        match fs::metadata(path) {
            Ok(found) => {
                Ok(Some(Self { inode: found.ino(), size: found.size(), modified: (found.mtime(), found.mtime_nsec()) }))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// A lock file cannot be used.
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
    /// It cannot be written.
    #[error("cannot write {path}")]
    Write {
        /// Which one.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It is no JSON of the expected form.
    #[error("{path} is damaged; restore it, or let an update of the locks set it aside")]
    Damaged {
        /// Which one.
        path: PathBuf,
        /// With line and column.
        #[source]
        source: serde_json::Error,
    },
    /// Its content makes no sense.
    #[error("{path} is damaged at {place:?}: {problem}; restore it, or let an update of the locks set it aside")]
    Nonsense {
        /// Which one.
        path: PathBuf,
        /// The key that is wrong.
        place: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A newer version of Mangrove wrote it.
    #[error("{path} has version {found}, and this program knows {VERSION}")]
    Newer {
        /// Which one.
        path: PathBuf,
        /// Its version.
        found: u32,
    },
    /// The registry promises other bytes for a version than it did when it was locked.
    #[error("{package} is locked in {path} as {locked}, and the registry now gives {promised}")]
    Conflict {
        /// Which file.
        path: PathBuf,
        /// Which package.
        package: PackageId,
        /// The integrity in the file.
        locked: String,
        /// The integrity that the registry gives.
        promised: String,
    },
}

/// The name of the lock that is committed.
pub(super) const COMMITTED: &str = "mangrove.lock";

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        let (path, code) = match &error {
            Error::Read { path, source } => return io_fault(Operation::Read, path, source),
            Error::Write { path, source } => return io_fault(Operation::Write, path, source),
            Error::Damaged { path, .. } => (path, Code::MALFORMED_DOCUMENT),
            Error::Nonsense { path, .. } | Error::Newer { path, .. } => (path, Code::INVALID_DOCUMENT),
            Error::Conflict { path, .. } => (path, Code::INTEGRITY_MISMATCH),
        };
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        Fault::environment(code, format!("lock:{name}"), super::chain(&error))
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    version: u32,
    #[serde(default)]
    specifiers: BTreeMap<String, Entry>,
    #[serde(default)]
    packages: BTreeMap<String, Locked>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    package: String,
    /// Everything but the package itself, by its place.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    tree: BTreeMap<String, String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Locked {
    integrity: String,
}

#[derive(Deserialize)]
struct Version {
    version: u32,
}

impl Lock {
    /// The lock file at `path`; changes are guarded by the file `guard`.
    #[must_use]
    pub fn new(path: PathBuf, guard: PathBuf) -> Self {
        Self { path, guard, seen: Mutex::new(None) }
    }

    /// What it says now. The file is parsed again only if it changed; a missing one says nothing.
    ///
    /// # Errors
    /// [`Error`]
    pub fn trees(&self) -> Result<Arc<Trees>, Error> {
        let stamp = Stamp::of(&self.path).map_err(|source| Error::Read { path: self.path.clone(), source })?;
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, trees)) = seen.as_ref().filter(|(known, _)| *known == stamp) {
            debug_assert_eq!(*known, stamp);
            return Ok(Arc::clone(trees));
        }
        let trees = Arc::new(self.read()?);
        *seen = Some((stamp, Arc::clone(&trees)));
        Ok(trees)
    }

    /// Locks a requirement and returns what is locked now: the given tree, or the one that somebody else
    /// locked first. Waits for other processes that change the file.
    ///
    /// # Errors
    /// [`Error`]
    pub fn add(&self, requirement: &Requirement, tree: Arc<Tree>) -> Result<Arc<Tree>, Error> {
        let _guard = self.guard()?;
        let mut trees = self.read()?;
        let key = requirement.to_string();
        if let Some(first) = trees.get(&key) {
            return Ok(Arc::clone(first));
        }
        self.check_conflicts(&trees, &tree)?;
        trees.insert(key, Arc::clone(&tree));
        self.write(&trees)?;
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = None;
        Ok(tree)
    }

    /// Locks these requirements to these trees, whatever they were locked to. Waits for other processes that
    /// change the file; without trees does nothing.
    ///
    /// # Errors
    /// [`Error`]
    pub fn replace(&self, replaced: &Trees) -> Result<(), Error> {
        if replaced.is_empty() {
            return Ok(());
        }
        let _guard = self.guard()?;
        let mut trees = self.read()?;
        trees.retain(|key, _| !replaced.contains_key(key));
        for (key, tree) in replaced {
            self.check_conflicts(&trees, tree)?;
            trees.insert(key.clone(), Arc::clone(tree));
        }
        self.write(&trees)?;
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = None;
        Ok(())
    }

    /// Takes out the requirements that nobody needs, unless the file was written within `grace`. Gives how many those are; a
    /// dry run leaves them. Waits for other processes that change the file.
    ///
    /// # Errors
    /// [`Error`]
    pub fn prune(&self, need: &Need, grace: Duration, is_dry_run: bool) -> Result<u64, Error> {
        // Without a file there is nothing to wait for.
        if self.is_recent(grace)? || self.trees()?.iter().all(|(key, tree)| need.has(key, tree)) {
            return Ok(0);
        }
        if is_dry_run {
            return Ok(self.trees()?.iter().filter(|(key, tree)| !need.has(key, tree)).count() as u64);
        }
        let _guard = self.guard()?;
        let mut trees = self.read()?;
        let before = trees.len();
        if !self.is_recent(grace)? {
            trees.retain(|key, tree| need.has(key, tree));
        }
        let removed = before - trees.len();
        if removed > 0 {
            self.write(&trees)?;
            *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = None;
        }
        Ok(removed as u64)
    }

    /// True if the file was written within this time, or its age is not known.
    fn is_recent(&self, grace: Duration) -> Result<bool, Error> {
        match fs::metadata(&self.path).and_then(|found| found.modified()) {
            Ok(modified) => Ok(modified.elapsed().map_or(true, |age| age < grace)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(source) => Err(Error::Read { path: self.path.clone(), source }),
        }
    }

    /// Sets a damaged file aside, so that what it locked is resolved again; the name that it has then. One that can be
    /// understood, or that a newer version wrote, stays.
    ///
    /// # Errors
    /// [`Error`]
    pub fn set_aside(&self) -> Result<Option<PathBuf>, Error> {
        let _guard = self.guard()?;
        match self.read() {
            Ok(_) => return Ok(None),
            Err(Error::Damaged { .. } | Error::Nonsense { .. }) => {}
            Err(error) => return Err(error),
        }
        let mut aside = self.path.clone().into_os_string();
        aside.push(".damaged");
        let aside = PathBuf::from(aside);
        let failed = |source| Error::Write { path: self.path.clone(), source };
        atomic::rename(directory_of(&self.path), &self.path, &aside).map_err(failed)?;
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = None;
        Ok(Some(aside))
    }

    /// Waits until nobody else changes the file; until it is dropped, nobody does.
    fn guard(&self) -> Result<File, Error> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| Error::Write { path, source }
        };
        let guard = mangrove_fs::lock::open(directory_of(&self.guard), &self.guard).map_err(failed(&self.guard))?;
        guard.lock().map_err(failed(&self.guard))?;
        Ok(guard)
    }

    fn check_conflicts(&self, trees: &Trees, added: &Tree) -> Result<(), Error> {
        for (package, promised) in &added.integrity {
            let locked = trees.values().find_map(|tree| tree.integrity.get(package));
            if let Some(locked) = locked.filter(|locked| contradict(locked, promised)) {
                return Err(Error::Conflict {
                    path: self.path.clone(),
                    package: package.clone(),
                    locked: locked.clone(),
                    promised: promised.clone(),
                });
            }
        }
        Ok(())
    }

    fn read(&self) -> Result<Trees, Error> {
        // The one in the repository is written by its users too: it may be a link inside of it.
        let bytes = match read::bytes(&self.path, Within::Root(directory_of(&self.path)), FileKind::Document) {
            Ok(bytes) => bytes,
            Err(error) if error.is_absent() => return Ok(Trees::new()),
            Err(error) => return Err(Error::Read { path: self.path.clone(), source: error.into() }),
        };
        let damaged = |source| Error::Damaged { path: self.path.clone(), source };
        let Version { version } = serde_json::from_slice(&bytes).map_err(damaged)?;
        if version > VERSION {
            return Err(Error::Newer { path: self.path.clone(), found: version });
        }
        let document: Document = serde_json::from_slice(&bytes).map_err(damaged)?;
        let mut trees = Trees::new();
        for (key, entry) in &document.specifiers {
            let tree = read_tree(key, entry, &document.packages).map_err(|problem| Error::Nonsense {
                path: self.path.clone(),
                place: key.clone(),
                problem,
            })?;
            trees.insert(key.clone(), Arc::new(tree));
        }
        Ok(trees)
    }

    fn write(&self, trees: &Trees) -> Result<(), Error> {
        let mut document = Document { version: VERSION, specifiers: BTreeMap::new(), packages: BTreeMap::new() };
        for (key, tree) in trees {
            let top = InstallPath::top(&tree.root.name);
            let below = tree.placed.iter().filter(|(place, _)| **place != top);
            let tree_entry = below.map(|(place, package)| (place.to_string(), package.to_string())).collect();
            document.specifiers.insert(key.clone(), Entry { package: tree.root.to_string(), tree: tree_entry });
            for (package, integrity) in &tree.integrity {
                document.packages.entry(package.to_string()).or_insert_with(|| Locked { integrity: integrity.clone() });
            }
        }
        let failed = |source| Error::Write { path: self.path.clone(), source };
        let mut text = serde_json::to_vec_pretty(&document).map_err(|error| failed(error.into()))?;
        text.push(b'\n');
        // Unlike a cache, a lock cannot be made again.
        atomic::write(directory_of(&self.path), &self.path, &text, Durability::Durable).map_err(failed)
    }
}

fn directory_of(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new("."))
}

fn read_tree(key: &str, entry: &Entry, packages: &BTreeMap<String, Locked>) -> Result<Tree, String> {
    match key.parse::<Specifier>() {
        Ok(Specifier::Npm { requirement, sub_path: None }) if requirement.to_string() == key => {}
        _ => return Err("expected a key of the form `npm:name@range`".to_owned()),
    }
    let root: PackageId = entry.package.parse().map_err(|error| format!("{error}"))?;
    let mut tree = Tree { root: root.clone(), placed: BTreeMap::new(), integrity: BTreeMap::new() };
    tree.placed.insert(InstallPath::top(&root.name), root);
    for (place, package) in &entry.tree {
        let place: InstallPath = place.parse().map_err(|error| format!("{error}"))?;
        tree.placed.insert(place, package.parse().map_err(|error| format!("{error}"))?);
    }
    for package in tree.placed.values() {
        let locked = packages.get(&package.to_string()).ok_or_else(|| format!("no integrity for {package}"))?;
        checkable(&locked.integrity).ok_or_else(|| format!("the integrity of {package} is none"))?;
        tree.integrity.insert(package.clone(), locked.integrity.clone());
    }
    Ok(tree)
}

/// True if two integrities promise different bytes by the same algorithm.
fn contradict(left: &str, right: &str) -> bool {
    let (Some(left), Some(right)) = (checkable(left), checkable(right)) else { return false };
    left.hashes.iter().any(|one| {
        let mut comparable = right.hashes.iter().filter(|other| other.algorithm == one.algorithm).peekable();
        comparable.peek().is_some() && comparable.all(|other| other.digest != one.digest)
    })
}
