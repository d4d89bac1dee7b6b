//! Getting metadata and archives: from memory, from the cache, from the registry, in this order.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use async_trait::async_trait;
use futures::{StreamExt as _, stream};
use mangrove_domain::{failure::Fault, outage::Outages, problem::Code};
use reqwest::Url;
use tokio::sync::Semaphore;

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

/// So many cached archives are looked at at once; each is read whole.
pub(super) const ARCHIVES_AT_ONCE: usize = 32;

/// Everything that comes from a registry, for one process.
pub(super) struct PackageFetcher {
    pub(super) locations: Locations,
    pub(super) is_offline: bool,
    pub(super) client: Client,
    pub(super) cache: Cache,
    pub(super) memory: Mutex<HashMap<String, (Instant, Arc<Packument>)>>,
    pub(super) packument_flights: Flights<String, Arc<Packument>>,
    pub(super) archive_flights: Flights<(PackageId, String), ()>,
    /// Places for looking at cached archives, each of which is read whole.
    pub(super) reading: Semaphore,
}

impl PackageFetcher {
    /// Makes sure that verified archives of all these packages are cached. Every one is tried, so that a
    /// failure of one costs the others nothing.
    pub(super) async fn ensure_all(
        self: &Arc<Self>,
        packages: &BTreeMap<PackageId, String>,
        outages: &Arc<Outages>,
    ) -> Result<(), Fault> {
        let outcomes: Vec<Result<(), Fault>> = stream::iter(packages.clone())
            .map(|(package, integrity)| {
                let (fetcher, outages) = (Arc::clone(self), Arc::clone(outages));
                async move { fetcher.ensure(package, integrity, outages).await }
            })
            .buffered(32)
            .collect()
            .await;
        outcomes.into_iter().collect()
    }

    /// The verified archive of a version that no lock names.
    pub(super) async fn archive(self: &Arc<Self>, name: &str, version: &str) -> Result<Vec<u8>, Fault> {
        let package = PackageId { name: name.to_owned(), version: version.to_owned() };
        let outages = Arc::default();
        let manifest = self.packument(name, &outages).await?.manifest(version).ok_or_else(|| {
            let message = format!("the registry has no version {version} of {name}");
            Fault::environment(Code::PACKAGE_NOT_FOUND, format!("package:{package}"), message)
        })?;
        let integrity = manifest.integrity.ok_or_else(|| {
            let message = format!("the registry gives no digest for {package}");
            Fault::environment(Code::PACKAGE_UNSUPPORTED, format!("package:{package}"), message)
        })?;
        Arc::clone(self).ensure(package.clone(), integrity.clone(), outages).await?;
        let fetcher = Arc::clone(self);
        blocking(move || fetcher.cached_archive(&package, &integrity)).await
    }

    /// The verified archive from the cache.
    pub(super) fn cached_archive(&self, package: &PackageId, integrity: &str) -> Result<Vec<u8>, Fault> {
        let settings = Settings::load(&self.locations)?;
        self.cache.archive(settings.registry(&package.name)?, package, integrity).ok_or_else(|| offline(package))
    }

    async fn ensure(
        self: Arc<Self>,
        package: PackageId,
        integrity: String,
        outages: Arc<Outages>,
    ) -> Result<(), Fault> {
        let fetcher = Arc::clone(&self);
        let key = (package.clone(), integrity.clone());
        self.archive_flights.join(key, || async move { fetcher.obtain(&package, &integrity, &outages).await }).await
    }

    async fn obtain(
        self: Arc<Self>,
        package: &PackageId,
        integrity: &str,
        outages: &Arc<Outages>,
    ) -> Result<(), Fault> {
        let settings = Settings::load(&self.locations)?;
        let registry = settings.registry(&package.name)?.clone();
        let cached = {
            let (fetcher, package, integrity, registry) =
                (Arc::clone(&self), package.clone(), integrity.to_owned(), registry.clone());
            let _place = self.reading.acquire().await;
            blocking(move || Ok(fetcher.cache.archive(&registry, &package, &integrity).is_some())).await?
        };
        if cached {
            return Ok(());
        }
        if self.is_offline {
            return Err(offline(package));
        }
        let outcome = self.download(&settings, &registry, package, integrity, outages).await;
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
        outages: &Arc<Outages>,
    ) -> Result<(), Fault> {
        let address = self.archive_address(registry, package, outages).await?;
        let label = package.to_string();
        let check = |bytes: Vec<u8>| {
            let (label, integrity) = (label.clone(), integrity.to_owned());
            async move { mangrove_fs::blocking(move || verify(&label, &integrity, bytes)).await }
        };
        let outcome = self
            .client
            .archive(settings, &label, &address, outages, |bytes| {
                let checked = check(bytes);
                async move { checked.await.unwrap_or_else(|error| Err(died(&error))) }
            })
            .await;
        let bytes = outcome?;
        let (fetcher, registry, package) = (Arc::clone(self), registry.clone(), package.clone());
        blocking(move || Ok(fetcher.cache.keep_archive(&registry, &package, &bytes)?)).await
    }

    async fn archive_address(
        self: &Arc<Self>,
        registry: &Url,
        package: &PackageId,
        outages: &Arc<Outages>,
    ) -> Result<Url, Fault> {
        let remembered = self.remembered(&package.name).or_else(|| {
            let cached = self.cache.packument(registry, &package.name)?;
            Some(Arc::new(Packument::parse(&cached.body).ok()?))
        });
        let known = remembered.and_then(|packument| packument.manifest(&package.version));
        let manifest = match known {
            Some(manifest) => Some(manifest),
            None => self.packument(&package.name, outages).await?.manifest(&package.version),
        };
        let manifest = manifest.ok_or_else(|| {
            let message =
                format!("the registry {} no longer has {package}, which is locked", registry::origin(registry));
            Fault::environment(Code::PACKAGE_NOT_FOUND, format!("package:{package}"), message)
        })?;
        let parsed = Url::parse(&manifest.archive).or_else(|_| registry.join(&manifest.archive)).ok();
        let is_served = |url: &Url| matches!(url.scheme(), "http" | "https") && url.host_str().is_some();
        let mut address = parsed.filter(is_served).ok_or_else(|| registry::Error {
            package: package.to_string(),
            subject: package.to_string(),
            origin: registry::origin(registry),
            reason: Reason::Address(manifest.archive.clone()),
            first: None,
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

    async fn load(self: Arc<Self>, name: &str, outages: &Outages) -> Result<Arc<Packument>, Fault> {
        let settings = Settings::load(&self.locations)?;
        let registry = settings.registry(name)?.clone();
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
        let asked = self.client.metadata(&settings, &registry, name, tag.as_deref(), outages, check);
        let (packument, fresh) = asked.await?;
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
        memory.retain(|_, (at, _)| at.elapsed() < FRESH_FOR);
        memory.insert(name.to_owned(), (received, Arc::clone(&packument)));
        Ok(packument)
    }

    async fn packument(self: &Arc<Self>, name: &str, outages: &Arc<Outages>) -> Result<Arc<Packument>, Fault> {
        if let Some(packument) = self.remembered(name) {
            return Ok(packument);
        }
        let (fetcher, outages, owned) = (Arc::clone(self), Arc::clone(outages), name.to_owned());
        let start = || async move { fetcher.load(&owned, &outages).await };
        self.packument_flights.join(name.to_owned(), start).await
    }
}

/// The fetcher as the resolver sees it.
pub(super) struct Source {
    pub(super) fetcher: Arc<PackageFetcher>,
    pub(super) outages: Arc<Outages>,
}

#[async_trait]
impl Metadata for Source {
    async fn packument(&self, name: &str) -> Result<Arc<Packument>, Fault> {
        self.fetcher.packument(name, &self.outages).await
    }

    fn is_usable(&self, name: &str, version: &str) -> bool {
        if !self.fetcher.is_offline {
            return true;
        }
        let package = PackageId { name: name.to_owned(), version: version.to_owned() };
        Settings::load(&self.fetcher.locations).is_ok_and(|settings| {
            settings.registry(name).is_ok_and(|registry| self.fetcher.cache.has_archive(registry, &package))
        })
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
