//! The port: specifiers in, vendor bundles out.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use futures::future::try_join_all;
use mangrove_domain::{
    bundle::StoredObject,
    digest::Digest,
    failure::{FailureClass, Fault},
    fingerprint::{Line, Part},
    ports::{BundleStore, Entropy, PackageRequest, Packages, PreparedPackages},
    problem::Code,
};

use super::{
    cache::Cache,
    fetch::{Source, Supply, blocking},
    flight::Flights,
    lock::{Lock, Trees},
    registry::{Client, Limits, Pause, Proxies},
    resolve::resolve,
    settings::Locations,
    specifier::{Requirement, Specifier},
    tree::Tree,
    unit::Unit,
};
use crate::bundler::vendor::VendorBundler;

/// What [`NpmPackages`] works with.
pub struct Options {
    /// `.mangrove`: cache, lock and records live below it.
    pub state_directory: PathBuf,
    /// The repository root, for its `.npmrc` and `mangrove.lock`.
    pub repository: PathBuf,
    /// Variables of the process: `HOME`, registry and proxy variables, and those that `.npmrc` files name.
    pub environment: BTreeMap<String, String>,
    /// Forbids the network: what is not cached fails with `OFFLINE`.
    pub is_offline: bool,
    /// Forbids changes of the lock: what is not locked fails with `LOCK_OUTDATED`.
    pub is_locked: bool,
    /// Builds vendor directories.
    pub vendor: Arc<dyn VendorBundler>,
    /// What changes the vendor bundler's output: version, options, format. Another one builds anew.
    pub vendor_identity: String,
    /// Keeps vendor directories.
    pub store: Arc<dyn BundleStore>,
    /// Time limits and retries of conversations with a registry.
    pub limits: Limits,
    /// Waits between quick retries.
    pub pause: Arc<dyn Pause>,
    /// Spreads them.
    pub entropy: Arc<dyn Entropy>,
}

/// Packages from npm registries.
pub struct NpmPackages {
    inner: Arc<Inner>,
}

struct Inner {
    supply: Arc<Supply>,
    /// First in precedence first: `mangrove.lock`, `.mangrove/npm.lock`.
    committed: Lock,
    own: Lock,
    is_locked: bool,
    vendor: Arc<dyn VendorBundler>,
    vendor_identity: String,
    store: Arc<dyn BundleStore>,
    resolutions: Flights<Requirement, Arc<Tree>>,
    units: Flights<Digest, StoredObject>,
    parts: Mutex<Parts>,
}

/// Packages parts by request, valid for one state of the locks: a scan asks for the same few thousands of times.
#[derive(Default)]
struct Parts {
    locks: Option<Locks>,
    by_request: HashMap<PackageRequest, Part>,
}

/// One state of both lock files.
#[derive(Clone)]
struct Locks {
    committed: Arc<Trees>,
    own: Arc<Trees>,
}

impl Locks {
    fn tree(&self, requirement: &Requirement) -> Option<&Arc<Tree>> {
        let key = requirement.to_string();
        self.committed.get(&key).or_else(|| self.own.get(&key))
    }

    fn is_same(&self, other: &Locks) -> bool {
        Arc::ptr_eq(&self.committed, &other.committed) && Arc::ptr_eq(&self.own, &other.own)
    }
}

impl NpmPackages {
    /// Packages with these options. Nothing is read, created or connected to yet.
    #[must_use]
    pub fn new(options: Options) -> Self {
        let guard = options.state_directory.join("npm").join("lock.guard");
        let client = Client::new(Proxies::of(&options.environment), options.limits, options.pause, options.entropy);
        let supply = Supply {
            locations: Locations { repository: options.repository.clone(), environment: options.environment },
            is_offline: options.is_offline,
            client,
            cache: Cache::new(&options.state_directory),
            memory: Mutex::default(),
            packument_flights: Flights::new(),
            archive_flights: Flights::new(),
            mismatches: Mutex::default(),
        };
        let inner = Inner {
            supply: Arc::new(supply),
            committed: Lock::new(options.repository.join("mangrove.lock"), guard.clone()),
            own: Lock::new(options.state_directory.join("npm.lock"), guard),
            is_locked: options.is_locked,
            vendor: options.vendor,
            vendor_identity: options.vendor_identity,
            store: options.store,
            resolutions: Flights::new(),
            units: Flights::new(),
            parts: Mutex::default(),
        };
        Self { inner: Arc::new(inner) }
    }
}

impl NpmPackages {
    /// The verified archive of one version of one package, from the cache or the registry, for what is no import.
    ///
    /// # Errors
    /// A fault of the registry or the archive; `PACKAGE_NOT_FOUND` if there is no such version.
    pub async fn archive(&self, name: &str, version: &str) -> Result<Vec<u8>, Fault> {
        self.inner.supply.archive(name, version).await
    }

    /// Tells how many bytes of an archive have come, and how many it has if that is known, from now on.
    pub fn on_bytes(&self, listener: Arc<dyn Fn(u64, Option<u64>) + Send + Sync>) {
        self.inner.supply.client.on_bytes(listener);
    }
}

#[async_trait]
impl Packages for NpmPackages {
    async fn closure(&self, request: &PackageRequest) -> Result<Part, Fault> {
        let locks = self.inner.locks()?;
        let mut parts = self.inner.parts.lock().unwrap_or_else(PoisonError::into_inner);
        if parts.locks.as_ref().is_none_or(|known| !known.is_same(&locks)) {
            *parts = Parts { locks: Some(locks.clone()), by_request: HashMap::new() };
        }
        if let Some(part) = parts.by_request.get(request) {
            return Ok(part.clone());
        }
        let part = part(request, |requirement| locks.tree(requirement).cloned());
        parts.by_request.insert(request.clone(), part.clone());
        Ok(part)
    }

    async fn prepare(&self, request: &PackageRequest) -> Result<PreparedPackages, Fault> {
        let mut imports = BTreeMap::new();
        let mut wanted: BTreeMap<Requirement, Vec<(&str, Option<String>)>> = BTreeMap::new();
        for specifier in &request.specifiers {
            match specifier.parse::<Specifier>()? {
                Specifier::Builtin => {
                    imports.insert(specifier.clone(), specifier.clone());
                }
                Specifier::Unsupported => return Err(unsupported(specifier)),
                Specifier::Npm { requirement, sub_path } => {
                    wanted.entry(requirement).or_default().push((specifier, sub_path));
                }
            }
        }
        let resolving = wanted.keys().map(|requirement| self.inner.tree(requirement.clone()));
        let trees: BTreeMap<Requirement, Arc<Tree>> =
            wanted.keys().cloned().zip(try_join_all(resolving).await?).collect();
        let packages = part(request, |requirement| trees.get(requirement).cloned());

        // Two spellings of one package are one unit, so that a bundle never holds two copies of it.
        let mut groups: BTreeMap<Digest, (Arc<Tree>, Vec<(&str, Option<String>)>)> = BTreeMap::new();
        for (requirement, imported) in wanted {
            let Some(tree) = trees.get(&requirement) else { continue };
            groups.entry(tree.digest()).or_insert_with(|| (Arc::clone(tree), Vec::new())).1.extend(imported);
        }
        let building = groups.into_values().map(|(tree, imported)| async move {
            let unit = Unit::new(tree, imported.iter().map(|(_, path)| path.as_deref()));
            let object = self.inner.unit(unit.clone()).await?;
            let directory = format!("../vendor/{}", object.key.digest());
            let paths: Vec<(String, String)> = imported
                .iter()
                .filter_map(|(specifier, path)| {
                    let file = unit.file(path.as_deref())?;
                    Some(((*specifier).to_owned(), format!("{directory}/{file}")))
                })
                .collect();
            Ok::<_, Fault>((object, paths))
        });
        let mut vendors = BTreeSet::new();
        for (object, paths) in try_join_all(building).await? {
            vendors.insert(object);
            imports.extend(paths);
        }
        Ok(PreparedPackages { imports, vendors: vendors.into_iter().collect(), packages })
    }
}

impl Inner {
    fn locks(&self) -> Result<Locks, Fault> {
        Ok(Locks { committed: self.committed.trees()?, own: self.own.trees()? })
    }

    /// What a requirement is locked to; resolves, fetches and locks it if it is not.
    async fn tree(self: &Arc<Self>, requirement: Requirement) -> Result<Arc<Tree>, Fault> {
        if let Some(tree) = self.locks()?.tree(&requirement) {
            return Ok(Arc::clone(tree));
        }
        if self.is_locked {
            let message = format!("{requirement} is not locked, and the lock must not change");
            return Err(Fault::new(FailureClass::Environment, Code::LOCK_OUTDATED, "lock", message));
        }
        let inner = Arc::clone(self);
        self.resolutions.join(requirement.clone(), || async move { inner.lock_anew(requirement).await }).await
    }

    async fn lock_anew(self: Arc<Self>, requirement: Requirement) -> Result<Arc<Tree>, Fault> {
        // Somebody may have locked it since the caller looked.
        if let Some(tree) = self.locks()?.tree(&requirement) {
            return Ok(Arc::clone(tree));
        }
        let may_be_old = self.supply.has_memory();
        let source = Source(Arc::clone(&self.supply));
        let tree = match resolve(&requirement, &source).await {
            // What was published a moment ago must not wait until our memory of the metadata ages.
            Err(fault) if may_be_old && fault.code == Code::PACKAGE_NOT_FOUND => {
                self.supply.forget_memory();
                resolve(&requirement, &source).await?
            }
            outcome => outcome?,
        };
        let tree = Arc::new(tree);
        // A version whose archive cannot be had must not be pinned.
        self.supply.ensure_all(&tree.integrity).await?;
        let inner = Arc::clone(&self);
        blocking(move || Ok(inner.own.add(&requirement, tree)?)).await
    }

    async fn unit(self: &Arc<Self>, unit: Unit) -> Result<StoredObject, Fault> {
        let key = unit.key(&self.vendor_identity);
        let inner = Arc::clone(self);
        let start = || async move {
            unit.obtain(key, Arc::clone(&inner.supply), Arc::clone(&inner.vendor), Arc::clone(&inner.store)).await
        };
        self.units.join(key, start).await
    }
}

/// The packages part of these specifiers, given what their requirements resolved to.
fn part(request: &PackageRequest, tree: impl Fn(&Requirement) -> Option<Arc<Tree>>) -> Part {
    let mut lines = Vec::new();
    for specifier in &request.specifiers {
        match specifier.parse::<Specifier>() {
            Ok(Specifier::Builtin) => {}
            Ok(Specifier::Unsupported) => lines.push(Line::new(specifier.clone(), "unsupported")),
            Err(_) => lines.push(Line::new(specifier.clone(), "malformed")),
            Ok(Specifier::Npm { requirement, .. }) => match tree(&requirement) {
                Some(tree) => lines.extend(tree.lines()),
                None => lines.push(Line::new(requirement.to_string(), "unlocked")),
            },
        }
    }
    Part::of(lines)
}

fn unsupported(specifier: &str) -> Fault {
    let help = match specifier.split_once(':').map(|(scheme, _)| scheme) {
        Some("jsr") => "use the package's npm name, or the Deno bundler for this file",
        Some("http" | "https") => "copy the file into the repository, or use the Deno bundler for this file",
        Some(_) => "only `npm:` and `node:` are served",
        None => "write it as `npm:name@version`, or `node:name` for a built-in module",
    };
    let message = format!("the embedded bundler cannot serve the import {specifier:?}: {help}");
    let cause = format!("specifier:{specifier}");
    Fault::new(FailureClass::Environment, Code::UNSUPPORTED_SPECIFIER, cause, message)
}
