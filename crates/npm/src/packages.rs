//! The port: specifiers in, vendor bundles out.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use futures::future::try_join_all;
use mangrove_domain::{
    bundle::StoredObject,
    failure::Fault,
    fingerprint::{Line, Part},
    outage::Outages,
    package::{PackageRequest, PreparedPackages},
    ports::{BuildLocks, BundleStore, Entropy, Packages},
    problem::Code,
    shipped,
};
use tokio::sync::Semaphore;

use super::{
    cache::Cache,
    deno_lock::{DenoLock, DenoLocks},
    fetch::{ARCHIVES_AT_ONCE, PackageFetcher, Source, blocking},
    flight::Flights,
    lock::{self, Lock, Trees},
    registry::{Client, Limits, Pause, Proxies},
    resolve::resolve,
    settings::Locations,
    specifier::{Requirement, Specifier},
    tree::Tree,
    unit::UnitBuilder,
};
use crate::vendor::VendorBundler;

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
    /// What changes the vendor bundler's output: version, options, format. Another one builds again.
    pub vendor_identity: String,
    /// Keeps other processes from building the same unit at the same time.
    pub locks: Arc<dyn BuildLocks>,
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
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) fetcher: Arc<PackageFetcher>,
    /// First in precedence first: the `deno.lock` of the request, `mangrove.lock`, `.mangrove/npm.lock`.
    pub(super) deno_locks: DenoLocks,
    pub(super) committed: Lock,
    pub(super) own: Lock,
    pub(super) is_locked: bool,
    builder: Arc<UnitBuilder>,
    resolutions: Flights<Requirement, Arc<Tree>>,
    parts: Mutex<Parts>,
}

/// Packages parts by request, for one state of our locks: a scan asks for the same few thousands of times. Those of an
/// earlier state are let go, and with them what the locks said then.
#[derive(Default)]
struct Parts {
    locks: Option<(Arc<Trees>, Arc<Trees>)>,
    by_request: HashMap<PackageRequest, (Option<Arc<DenoLock>>, Part)>,
}

impl Parts {
    /// The parts of this state.
    fn of(&mut self, locks: &Locks) -> &mut HashMap<PackageRequest, (Option<Arc<DenoLock>>, Part)> {
        let is_same = |(committed, own): &(Arc<Trees>, Arc<Trees>)| {
            Arc::ptr_eq(committed, &locks.committed) && Arc::ptr_eq(own, &locks.own)
        };
        if !self.locks.as_ref().is_some_and(is_same) {
            self.locks = Some((Arc::clone(&locks.committed), Arc::clone(&locks.own)));
            self.by_request.clear();
        }
        &mut self.by_request
    }
}

/// One state of the lock files that govern a request.
#[derive(Clone)]
struct Locks {
    deno: Option<Arc<DenoLock>>,
    committed: Arc<Trees>,
    own: Arc<Trees>,
}

impl Locks {
    fn tree(&self, requirement: &Requirement) -> Result<Option<Arc<Tree>>, Fault> {
        if let Some(deno) = &self.deno
            && let Some(tree) = deno.tree(requirement)?
        {
            return Ok(Some(tree));
        }
        let key = requirement.to_string();
        Ok(self.committed.get(&key).or_else(|| self.own.get(&key)).cloned())
    }

    fn has_deno(&self, other: Option<&Arc<DenoLock>>) -> bool {
        match (&self.deno, other) {
            (Some(left), Some(right)) => Arc::ptr_eq(left, right),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        }
    }
}

impl NpmPackages {
    /// Packages with these options. Nothing is read, created or connected to yet.
    #[must_use]
    pub fn new(options: Options) -> Self {
        let guard = options.state_directory.join("npm").join("lock.guard");
        let client = Client::new(Proxies::of(&options.environment), options.limits, options.pause, options.entropy);
        let fetcher = PackageFetcher {
            locations: Locations { repository: options.repository.clone(), environment: options.environment },
            is_offline: options.is_offline,
            client,
            cache: Cache::new(&options.state_directory),
            memory: Mutex::default(),
            packument_flights: Flights::new(),
            archive_flights: Flights::new(),
            reading: Semaphore::new(ARCHIVES_AT_ONCE),
        };
        let fetcher = Arc::new(fetcher);
        let builder = UnitBuilder::new(
            Arc::clone(&fetcher),
            options.vendor,
            options.vendor_identity,
            options.store,
            options.locks,
        );
        let inner = Inner {
            fetcher,
            deno_locks: DenoLocks::default(),
            committed: Lock::new(options.repository.join(lock::COMMITTED), guard.clone()),
            own: Lock::new(options.state_directory.join("npm.lock"), guard),
            is_locked: options.is_locked,
            builder: Arc::new(builder),
            resolutions: Flights::new(),
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
        self.inner.fetcher.archive(name, version).await
    }

    /// Tells how many bytes of an archive have come, and how many it has if that is known, from now on.
    pub fn on_bytes(&self, listener: Arc<dyn Fn(u64, Option<u64>) + Send + Sync>) {
        self.inner.fetcher.client.on_bytes(listener);
    }
}

#[async_trait]
impl Packages for NpmPackages {
    async fn closure(&self, request: &PackageRequest) -> Result<Part, Fault> {
        let locks = self.inner.locks(request.lock.as_deref())?;
        let mut parts = self.inner.parts.lock().unwrap_or_else(PoisonError::into_inner);
        let parts = parts.of(&locks);
        if let Some((deno, part)) = parts.get(request)
            && locks.has_deno(deno.as_ref())
        {
            return Ok(part.clone());
        }
        let part = part(request, |requirement| locks.tree(requirement))?;
        parts.insert(request.clone(), (locks.deno, part.clone()));
        Ok(part)
    }

    async fn prepare(&self, request: &PackageRequest, outages: &Arc<Outages>) -> Result<PreparedPackages, Fault> {
        let mut imports = BTreeMap::new();
        let mut offers = BTreeMap::new();
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
        let lock = request.lock.as_deref();
        let resolving = wanted.keys().map(|requirement| self.inner.tree(requirement.clone(), lock, outages));
        let trees: BTreeMap<Requirement, Arc<Tree>> =
            wanted.keys().cloned().zip(try_join_all(resolving).await?).collect();
        let packages = part(request, |requirement| Ok(trees.get(requirement).cloned()))?;

        let mut parts = Vec::new();
        for (requirement, imported) in &wanted {
            let Some(tree) = trees.get(requirement) else { continue };
            parts.extend(imported.iter().map(|(_, sub_path)| (Arc::clone(tree), sub_path.clone())));
        }
        let units = self.inner.builder.obtain(parts, outages).await?;
        for (requirement, imported) in &wanted {
            let Some(package) = trees.get(requirement).map(|tree| &tree.root) else { continue };
            let Some(unit) = units.get(package) else { continue };
            for (specifier, sub_path) in imported {
                let Some(import) = unit.import(&package.name, sub_path.as_deref()) else { continue };
                let offer = unit.offer(&package.name, sub_path.as_deref());
                offers.extend(offer.map(|offer| (import.clone(), Arc::clone(offer))));
                imports.insert((*specifier).to_owned(), import);
            }
        }
        let vendors: BTreeSet<StoredObject> = units.values().flat_map(|unit| unit.closure.iter().copied()).collect();
        Ok(PreparedPackages { imports, offers, vendors: vendors.into_iter().collect(), packages })
    }
}

impl Inner {
    fn locks(&self, deno: Option<&Path>) -> Result<Locks, Fault> {
        let deno = deno.map(|path| self.deno_locks.load(path)).transpose()?;
        Ok(Locks { deno, committed: self.committed.trees()?, own: self.own.trees()? })
    }

    /// What a requirement is locked to; resolves, fetches and locks it if it is not.
    async fn tree(
        self: &Arc<Self>,
        requirement: Requirement,
        lock: Option<&Path>,
        outages: &Arc<Outages>,
    ) -> Result<Arc<Tree>, Fault> {
        if let Some(tree) = self.locks(lock)?.tree(&requirement)? {
            return Ok(tree);
        }
        if self.is_locked {
            let message = format!("{requirement} is not locked, and the lock must not change");
            return Err(Fault::environment(Code::LOCK_OUTDATED, "lock", message));
        }
        let key = requirement.clone();
        let (inner, outages) = (Arc::clone(self), Arc::clone(outages));
        let start = || async move { inner.resolve_and_lock(requirement, outages).await };
        self.resolutions.join(key, start).await
    }

    async fn resolve_and_lock(
        self: Arc<Self>,
        requirement: Requirement,
        outages: Arc<Outages>,
    ) -> Result<Arc<Tree>, Fault> {
        // Somebody may have locked it since the caller looked.
        if let Some(tree) = self.locks(None)?.tree(&requirement)? {
            return Ok(tree);
        }
        let may_be_old = self.fetcher.has_memory();
        let source = Source { fetcher: Arc::clone(&self.fetcher), outages: Arc::clone(&outages) };
        let tree = match resolve(&requirement, &source).await {
            // What was published a moment ago must not wait until our memory of the metadata ages.
            Err(fault) if may_be_old && fault.code == Code::PACKAGE_NOT_FOUND => {
                self.fetcher.forget_memory();
                resolve(&requirement, &source).await?
            }
            outcome => outcome?,
        };
        let tree = Arc::new(tree);
        // A version whose archive cannot be had must not be pinned.
        self.fetcher.ensure_all(&tree.integrity, &outages).await?;
        let inner = Arc::clone(&self);
        blocking(move || Ok(inner.own.add(&requirement, tree)?)).await
    }
}

/// The packages part of these specifiers, given what their requirements resolved to.
fn part(
    request: &PackageRequest,
    tree: impl Fn(&Requirement) -> Result<Option<Arc<Tree>>, Fault>,
) -> Result<Part, Fault> {
    let mut lines = Vec::new();
    for specifier in &request.specifiers {
        match specifier.parse::<Specifier>() {
            Ok(Specifier::Builtin) => {}
            Ok(Specifier::Unsupported) => lines.push(Line::new(specifier.clone(), "unsupported")),
            Err(_) => lines.push(Line::new(specifier.clone(), "malformed")),
            Ok(Specifier::Npm { requirement, .. }) => match tree(&requirement)? {
                Some(tree) => lines.extend(tree.lines()),
                None => lines.push(Line::new(requirement.to_string(), "unlocked")),
            },
        }
    }
    Ok(Part::of(lines))
}

/// Only another bundler can serve addresses; a name that nothing maps to a package no bundler can.
fn unsupported(specifier: &str) -> Fault {
    let cause = format!("specifier:{specifier}");
    let deterministic = |message| Fault::deterministic(Code::UNSUPPORTED_SPECIFIER, cause.as_str(), message);
    if let Some((name, value)) = specifier.strip_prefix("package.json:").and_then(|asked| {
        let at = asked.char_indices().skip(1).find(|(_, character)| *character == '@')?.0;
        Some((&asked[..at], &asked[at + 1..]))
    }) {
        return deterministic(format!(
            "package.json asks for {name:?} as {value:?}: only a version range, a tag or `npm:other@range` can be \
             served; write that instead, or import the files by their path"
        ));
    }
    if shipped::is_unmapped(specifier) {
        return unmapped(specifier);
    }
    let help = match specifier.split_once(':').map(|(scheme, _)| scheme) {
        Some("jsr") => "use the package's npm name, or the Deno bundler for this file",
        Some("http" | "https") => "copy the file into the repository, or use the Deno bundler for this file",
        Some(_) | None => "only `npm:` and `node:` are served",
    };
    let message = format!("the embedded bundler cannot serve the import {specifier:?}: {help}");
    Fault::environment(Code::UNSUPPORTED_SPECIFIER, cause, message)
}

/// The fault of an import that is a bare name after all import maps: nothing says what it means, to any bundler.
#[must_use]
pub fn unmapped(specifier: &str) -> Fault {
    let package = package_name(specifier);
    let message = format!(
        "nothing says which package the import {specifier:?} means: add \"{package}\": \"npm:{package}@VERSION\" to \
         `imports` of deno.json, or \"{package}\": \"VERSION\" to `dependencies` of package.json, or write \
         `npm:{package}@VERSION` here (`node:{package}` if the built-in module is meant)"
    );
    Fault::deterministic(Code::UNMAPPED_IMPORT, format!("specifier:{specifier}"), message)
}

/// The package of a bare specifier, without its sub-path.
fn package_name(specifier: &str) -> &str {
    let start = if specifier.starts_with('@') { specifier.find('/').map_or(0, |slash| slash + 1) } else { 0 };
    let end = specifier[start..].find('/').map_or(specifier.len(), |slash| start + slash);
    &specifier[..end]
}
