//! Getting metadata and archives: from memory, from the cache, from the registry, in this order.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use async_trait::async_trait;
use futures::{StreamExt as _, stream};
use mangrove_domain::{
    failure::{FailureClass, Fault},
    problem::Code,
};
use reqwest::Url;

use super::{
    archive::{self, Bounds},
    cache::{Cache, CachedPackument},
    flight::Flights,
    packument::{self, Packument, checkable},
    registry::{self, Answer, Client, Reason},
    resolve::Metadata,
    settings::{DEFAULT_REGISTRY, Locations, Settings},
    specifier::PackageId,
};

/// Metadata that was current this long ago is current enough: many requirements of one scan then cost one
/// request. Only answers are kept, never failures.
const FRESH_FOR: Duration = Duration::from_mins(1);

/// Mismatches of one archive in a row that still count as transient.
const TRANSIENT_MISMATCHES: u32 = 2;

/// Everything that comes from a registry, for one process.
pub(super) struct PackageFetcher {
    pub(super) locations: Locations,
    pub(super) is_offline: bool,
    pub(super) client: Client,
    pub(super) cache: Cache,
    pub(super) memory: Mutex<HashMap<String, (Instant, Arc<Packument>)>>,
    pub(super) packument_flights: Flights<String, Arc<Packument>>,
    pub(super) archive_flights: Flights<(PackageId, String), ()>,
    /// Mismatches in a row. Kept in memory: after a restart the count begins again.
    pub(super) mismatches: Mutex<HashMap<PackageId, u32>>,
}

impl PackageFetcher {
    /// Makes sure that verified archives of all these packages are cached. Every one is tried, so that a
    /// failure of one costs the others nothing.
    pub(super) async fn ensure_all(self: &Arc<Self>, packages: &BTreeMap<PackageId, String>) -> Result<(), Fault> {
        let outcomes: Vec<Result<(), Fault>> = stream::iter(packages.clone())
            .map(|(package, integrity)| {
                let fetcher = Arc::clone(self);
                async move { fetcher.ensure(package, integrity).await }
            })
            .buffered(32)
            .collect()
            .await;
        outcomes.into_iter().collect()
    }

    /// The verified archive of a version that no lock names.
    pub(super) async fn archive(self: &Arc<Self>, name: &str, version: &str) -> Result<Vec<u8>, Fault> {
        let package = PackageId { name: name.to_owned(), version: version.to_owned() };
        let manifest = self.packument(name).await?.manifest(version).ok_or_else(|| {
            let message = format!("the registry has no version {version} of {name}");
            Fault::environment(Code::PACKAGE_NOT_FOUND, format!("package:{package}"), message)
        })?;
        let integrity = manifest.integrity.ok_or_else(|| {
            let message = format!("the registry gives no digest for {package}");
            Fault::environment(Code::PACKAGE_UNSUPPORTED, format!("package:{package}"), message)
        })?;
        Arc::clone(self).ensure(package.clone(), integrity.clone()).await?;
        let fetcher = Arc::clone(self);
        blocking(move || fetcher.cached_archive(&package, &integrity)).await
    }

    /// The verified archive from the cache.
    pub(super) fn cached_archive(&self, package: &PackageId, integrity: &str) -> Result<Vec<u8>, Fault> {
        let settings = Settings::load(&self.locations)?;
        self.cache.archive(settings.registry(&package.name), package, integrity).ok_or_else(|| offline(package))
    }

    async fn ensure(self: Arc<Self>, package: PackageId, integrity: String) -> Result<(), Fault> {
        let fetcher = Arc::clone(&self);
        let key = (package.clone(), integrity.clone());
        self.archive_flights.join(key, || async move { fetcher.obtain(&package, &integrity).await }).await
    }

    async fn obtain(self: Arc<Self>, package: &PackageId, integrity: &str) -> Result<(), Fault> {
        let settings = Settings::load(&self.locations)?;
        let registry = settings.registry(&package.name).clone();
        let cached = {
            let (fetcher, package, integrity, registry) =
                (Arc::clone(&self), package.clone(), integrity.to_owned(), registry.clone());
            blocking(move || Ok(fetcher.cache.archive(&registry, &package, &integrity).is_some())).await?
        };
        if cached {
            return Ok(());
        }
        if self.is_offline {
            return Err(offline(package));
        }
        let outcome = self.download(&settings, &registry, package, integrity).await;
        if outcome.is_err() {
            // Whatever we know of the package led here; let the next try ask again.
            self.memory.lock().unwrap_or_else(PoisonError::into_inner).remove(&package.name);
            self.cache.forget_packument(&registry, &package.name);
        }
        outcome
    }

    async fn download(
        self: &Arc<Self>,
        settings: &Settings,
        registry: &Url,
        package: &PackageId,
        integrity: &str,
    ) -> Result<(), Fault> {
        let address = self.archive_address(registry, package).await?;
        let label = package.to_string();
        let check = |bytes: Vec<u8>| {
            let (label, integrity) = (label.clone(), integrity.to_owned());
            async move { mangrove_fs::blocking(move || verify(&label, &integrity, bytes)).await }
        };
        let fetched = self
            .client
            .archive(settings, &label, &address, |bytes| {
                let checked = check(bytes);
                async move { checked.await.unwrap_or_else(|error| Err(died(&error))) }
            })
            .await;
        let bytes = fetched.map_err(|error| self.classify(package, error))?;
        self.mismatches.lock().unwrap_or_else(PoisonError::into_inner).remove(package);
        let (this, registry, package) = (Arc::clone(self), registry.clone(), package.clone());
        blocking(move || Ok(this.cache.keep_archive(&registry, &package, &bytes)?)).await
    }

    /// A mismatch is transient twice; then it is a failure that somebody has to look into.
    fn classify(&self, package: &PackageId, error: registry::Error) -> Fault {
        let is_mismatch = matches!(error.reason, Reason::Mismatch { .. });
        let mut fault = Fault::from(error);
        if is_mismatch {
            let mut mismatches = self.mismatches.lock().unwrap_or_else(PoisonError::into_inner);
            let count = mismatches.entry(package.clone()).or_default();
            *count = count.saturating_add(1);
            if *count > TRANSIENT_MISMATCHES {
                fault.class = FailureClass::Environment;
            }
        }
        fault
    }

    async fn archive_address(self: &Arc<Self>, registry: &Url, package: &PackageId) -> Result<Url, Fault> {
        let remembered = self.remembered(&package.name).or_else(|| {
            let cached = self.cache.packument(registry, &package.name)?;
            Some(Arc::new(Packument::parse(&cached.body).ok()?))
        });
        let known = remembered.and_then(|packument| packument.manifest(&package.version));
        let manifest = match known {
            Some(manifest) => Some(manifest),
            None => self.packument(&package.name).await?.manifest(&package.version),
        };
        let manifest = manifest.ok_or_else(|| {
            let message =
                format!("the registry {} no longer has {package}, which is locked", registry::origin(registry));
            Fault::environment(Code::PACKAGE_NOT_FOUND, format!("package:{package}"), message)
        })?;
        let mut address =
            Url::parse(&manifest.archive).or_else(|_| registry.join(&manifest.archive)).map_err(|_| {
                registry::Error {
                    package: package.to_string(),
                    subject: package.to_string(),
                    origin: registry::origin(registry),
                    reason: Reason::Address(manifest.archive.clone()),
                    first: None,
                }
            })?;
        // A mirror often repeats the address of the public registry; what was configured is the mirror.
        let public = Url::parse(DEFAULT_REGISTRY).ok();
        if public.as_ref().and_then(Url::host_str) == address.host_str() && public.as_ref() != Some(registry) {
            let path = address.path().trim_start_matches('/').to_owned();
            address = registry.join(&path).unwrap_or(address);
        }
        Ok(address)
    }

    /// Forgets metadata kept in memory.
    pub(super) fn forget_memory(&self) {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// True if metadata is kept in memory that may be older than the question.
    pub(super) fn has_memory(&self) -> bool {
        !self.memory.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    fn remembered(&self, name: &str) -> Option<Arc<Packument>> {
        let memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        memory.get(name).filter(|(at, _)| at.elapsed() < FRESH_FOR).map(|(_, packument)| Arc::clone(packument))
    }

    async fn load(self: Arc<Self>, name: &str) -> Result<Arc<Packument>, Fault> {
        let settings = Settings::load(&self.locations)?;
        let registry = settings.registry(name).clone();
        let known = {
            let (fetcher, registry, name) = (Arc::clone(&self), registry.clone(), name.to_owned());
            blocking(move || {
                Ok(fetcher.cache.packument(&registry, &name).and_then(|cached| {
                    let parsed = Packument::parse(&cached.body).ok()?;
                    Some((cached.tag, Arc::new(parsed)))
                }))
            })
            .await?
        };
        if self.is_offline {
            return known.map(|(_, packument)| packument).ok_or_else(|| offline_name(name));
        }
        let tag = known.as_ref().and_then(|(tag, _)| tag.clone());
        let check = |answer: Answer| match (answer, &known) {
            (Answer::Unchanged, Some((_, packument))) => Ok((Arc::clone(packument), None)),
            (Answer::Unchanged, None) => Err(Reason::Garbage(packument::Error::Member("versions"))),
            (Answer::Fresh { body, tag }, _) => {
                let packument = Packument::parse(&body).map_err(Reason::Garbage)?;
                Ok((Arc::new(packument), Some(CachedPackument { tag, body })))
            }
        };
        let (packument, fresh) = self.client.metadata(&settings, name, tag.as_deref(), check).await?;
        if let Some(fresh) = fresh {
            let (fetcher, name) = (Arc::clone(&self), name.to_owned());
            let kept = blocking(move || Ok(fetcher.cache.keep_packument(&registry, &name, &fresh)?)).await;
            if let Err(fault) = kept {
                tracing::warn!(%fault, "cannot cache metadata of a package");
            }
        }
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        #[expect(clippy::disallowed_methods, reason = "how long an answer is kept in memory")]
        let received = Instant::now();
        memory.insert(name.to_owned(), (received, Arc::clone(&packument)));
        Ok(packument)
    }

    async fn packument(self: &Arc<Self>, name: &str) -> Result<Arc<Packument>, Fault> {
        if let Some(packument) = self.remembered(name) {
            return Ok(packument);
        }
        let (fetcher, owned) = (Arc::clone(self), name.to_owned());
        self.packument_flights.join(name.to_owned(), || async move { fetcher.load(&owned).await }).await
    }
}

/// The fetcher as the resolver sees it.
pub(super) struct Source(pub(super) Arc<PackageFetcher>);

#[async_trait]
impl Metadata for Source {
    async fn packument(&self, name: &str) -> Result<Arc<Packument>, Fault> {
        self.0.packument(name).await
    }

    fn is_usable(&self, name: &str, version: &str) -> bool {
        if !self.0.is_offline {
            return true;
        }
        let package = PackageId { name: name.to_owned(), version: version.to_owned() };
        Settings::load(&self.0.locations)
            .is_ok_and(|settings| self.0.cache.has_archive(settings.registry(name), &package))
    }
}

/// Makes sure that the bytes are what was promised and can be unpacked.
fn verify(package: &str, integrity: &str, bytes: Vec<u8>) -> Result<Vec<u8>, Reason> {
    let mismatch = |found: String| Reason::Mismatch { promised: integrity.to_owned(), found };
    let promised = checkable(integrity).ok_or_else(|| mismatch("not comparable".to_owned()))?;
    promised.check(&bytes).map_err(|_| {
        let found = ssri::IntegrityOpts::new().algorithm(promised.pick_algorithm()).chain(&bytes).result();
        mismatch(found.to_string())
    })?;
    archive::unpack(package, &bytes, None, Bounds::default()).map_err(Reason::Archive)?;
    Ok(bytes)
}

/// Runs what reads or writes files on a thread that may block.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Fault> + Send + 'static,
) -> Result<T, Fault> {
    mangrove_fs::blocking(work).await.unwrap_or_else(|error| {
        let message = format!("cannot work on packages: {error}");
        Err(Fault::environment(Code::BUNDLE_FAILED, "packages:attempt", message))
    })
}

fn died(error: &mangrove_fs::Unfinished) -> Reason {
    Reason::Archive(archive::UnpackError::Unreadable {
        package: "the package".to_owned(),
        source: std::io::Error::other(error.to_string()),
    })
}

fn offline(package: &PackageId) -> Fault {
    let message = format!("{package} is not cached, and the network may not be used");
    Fault::environment(Code::OFFLINE, "offline", message)
}

fn offline_name(name: &str) -> Fault {
    let message = format!("nothing is known of {name}, and the network may not be used");
    Fault::environment(Code::OFFLINE, "offline", message)
}
