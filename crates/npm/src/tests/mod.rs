//! Tests over the fake registry: what is asked for, what is kept, and what comes of every fault.
mod archive;
mod deno_lock;
mod faults;
mod lock;
mod maintenance;
mod offline;
mod outages;
mod resolve;
mod settings;
mod specifier;
mod vendor;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use mangrove_domain::{
    bundle::{BundleFile, BundleRef, LoadedBundle, ObjectKey, Presence, StoredObject},
    digest::Digest,
    failure::Fault,
    fingerprint::Line,
    package::{PackageRequest, PreparedPackages},
    ports::{BundleStore, Entropy, Packages as _, StoreError, SweepOutcome, SweepRequest},
};
use mangrove_testkit::registry::{FakePackage, FakeRegistry};

use super::{
    NpmPackages, Options,
    registry::{Limits, Pause},
};
use crate::vendor::{VendorBundler, VendorOutput, VendorRequest};

/// A state directory, a registry, and what was done with them.
struct World {
    directory: tempfile::TempDir,
    registry: FakeRegistry,
    vendor: Arc<RecordingVendor>,
    store: Arc<MemoryStore>,
    pauses: Arc<RecordingPause>,
}

impl World {
    fn new() -> Self {
        let registry = FakeRegistry::start().unwrap();
        registry.publish(zod());
        Self {
            directory: tempfile::tempdir().unwrap(),
            registry,
            vendor: Arc::default(),
            store: Arc::default(),
            pauses: Arc::default(),
        }
    }

    fn state(&self) -> PathBuf {
        self.directory.path().join(".mangrove")
    }

    fn options(&self) -> Options {
        Options {
            state_directory: self.state(),
            repository: self.directory.path().to_owned(),
            environment: BTreeMap::from([("MANGROVE_NPM_REGISTRY".to_owned(), self.registry.url())]),
            is_offline: false,
            is_locked: false,
            vendor: Arc::clone(&self.vendor) as Arc<dyn VendorBundler>,
            vendor_identity: "fake 1".to_owned(),
            locks: Arc::new(mangrove_domain::ports::NoBuildLocks),
            store: Arc::clone(&self.store) as Arc<dyn BundleStore>,
            limits: Limits::default(),
            pause: Arc::clone(&self.pauses) as Arc<dyn Pause>,
            entropy: Arc::new(Half),
        }
    }

    /// Packages as a fresh process sees them.
    fn packages(&self) -> NpmPackages {
        NpmPackages::new(self.options())
    }

    fn offline(&self) -> NpmPackages {
        NpmPackages::new(Options { is_offline: true, ..self.options() })
    }

    /// Packages that lose patience soon, for registries that never answer.
    fn impatient(&self) -> NpmPackages {
        let limits = Limits { operation: Duration::from_millis(150), ..Limits::default() };
        NpmPackages::new(Options { limits, ..self.options() })
    }

    fn lock_text(&self) -> String {
        std::fs::read_to_string(self.state().join("npm.lock")).unwrap()
    }

    /// Every file below the cache, without the lock's guard.
    fn cached_files(&self) -> Vec<String> {
        let mut files = Vec::new();
        walk(&self.state().join("npm"), &mut files);
        let root = self.state().join("npm");
        let mut names: Vec<String> = files
            .iter()
            .map(|path| path.strip_prefix(&root).unwrap().display().to_string())
            .filter(|name| name != "lock.guard")
            .map(|name| name.replace(&self.registry.origin().replace(':', "+"), "REGISTRY"))
            .collect();
        names.sort();
        names
    }
}

fn walk(directory: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, files);
        } else {
            files.push(path);
        }
    }
}

fn zod() -> FakePackage {
    FakePackage::new("zod", "4.3.6")
        .file("index.js", "export const z = { string() {} };")
        .file("v4/index.js", "export const z4 = 1;")
}

fn request(specifiers: &[&str]) -> PackageRequest {
    PackageRequest { specifiers: specifiers.iter().map(|text| (*text).to_owned()).collect(), lock: None }
}

async fn prepare(packages: &NpmPackages, specifiers: &[&str]) -> Result<PreparedPackages, Fault> {
    packages.prepare(&request(specifiers), &Arc::default()).await
}

async fn closure(packages: &NpmPackages, specifiers: &[&str]) -> Vec<Line> {
    packages.closure(&request(specifiers)).await.unwrap().lines().unwrap()
}

/// Builds a directory out of the names of what it finds, and remembers the requests.
#[derive(Default)]
struct RecordingVendor {
    builds: Mutex<Vec<Build>>,
    fault: Mutex<Option<Fault>>,
}

/// One request with what lay in its directory.
#[derive(Clone, Debug)]
struct Build {
    request: VendorRequest,
    files: BTreeMap<String, String>,
}

impl RecordingVendor {
    fn count(&self) -> usize {
        self.builds.lock().unwrap().len()
    }

    fn last(&self) -> Build {
        self.builds.lock().unwrap().last().unwrap().clone()
    }
}

#[async_trait]
impl VendorBundler for RecordingVendor {
    async fn build_vendor(&self, request: VendorRequest) -> Result<VendorOutput, Fault> {
        let mut paths = Vec::new();
        walk(&request.directory, &mut paths);
        let files: BTreeMap<String, String> = paths
            .iter()
            .map(|path| {
                let name = path.strip_prefix(&request.directory).unwrap().display().to_string();
                (name, std::fs::read_to_string(path).unwrap())
            })
            .collect();
        let code: Arc<str> = format!("// {} {:?}", request.package, files.keys()).into();
        let mut output: Vec<BundleFile> =
            request.entries.values().map(|file| BundleFile { path: file.clone(), code: Arc::clone(&code) }).collect();
        output.sort();
        self.builds.lock().unwrap().push(Build { request, files });
        if let Some(fault) = self.fault.lock().unwrap().clone() {
            return Err(fault);
        }
        Ok(VendorOutput { files: output, ..VendorOutput::default() })
    }
}

#[derive(Default)]
struct MemoryStore {
    vendors: Mutex<BTreeMap<Digest, u64>>,
}

#[async_trait]
impl BundleStore for MemoryStore {
    async fn put(&self, _code: &str) -> Result<StoredObject, StoreError> {
        unreachable!("packages store vendor directories only")
    }

    async fn put_vendor(&self, files: &[BundleFile]) -> Result<StoredObject, StoreError> {
        let texts: Vec<&str> = files.iter().flat_map(|file| [file.path.as_str(), "\n", &file.code, "\n"]).collect();
        let text = texts.concat();
        let digest = Digest::of(text.as_bytes());
        let size_bytes = files.iter().map(|file| file.code.len() as u64).sum();
        self.vendors.lock().unwrap().insert(digest, size_bytes);
        Ok(StoredObject { key: ObjectKey::Vendor(digest), size_bytes })
    }

    async fn sync(&self) -> Result<(), StoreError> {
        Ok(())
    }

    async fn presence(&self, bundles: &[&BundleRef]) -> Result<Vec<Presence>, StoreError> {
        let vendors = self.vendors.lock().unwrap();
        let look = |object: &StoredObject| match vendors.get(&object.key.digest()) {
            None => Presence::Missing(object.key),
            Some(size) if *size == object.size_bytes => Presence::Present,
            Some(size) => {
                Presence::WrongSize { key: object.key, recorded_bytes: object.size_bytes, found_bytes: *size }
            }
        };
        let worst = |bundle: &&BundleRef| {
            bundle.closure().map(look).find(|found| *found != Presence::Present).unwrap_or(Presence::Present)
        };
        Ok(bundles.iter().map(worst).collect())
    }

    async fn holds(&self, objects: &[StoredObject]) -> Result<bool, StoreError> {
        let vendors = self.vendors.lock().unwrap();
        Ok(objects.iter().all(|object| vendors.get(&object.key.digest()) == Some(&object.size_bytes)))
    }

    async fn load(&self, _bundle: &BundleRef) -> Result<LoadedBundle, StoreError> {
        unreachable!("packages load nothing")
    }

    async fn vendor_files(&self, _vendors: &[StoredObject]) -> Result<Vec<BundleFile>, StoreError> {
        unreachable!("packages load nothing")
    }

    async fn list(&self) -> Result<Vec<StoredObject>, StoreError> {
        unreachable!("packages list nothing")
    }

    async fn verify(&self, _object: &StoredObject) -> Result<Presence, StoreError> {
        unreachable!("packages verify nothing")
    }

    async fn remove(&self, key: ObjectKey) -> Result<(), StoreError> {
        self.vendors.lock().unwrap().remove(&key.digest());
        Ok(())
    }

    async fn sweep(&self, _request: &SweepRequest) -> Result<SweepOutcome, StoreError> {
        unreachable!("packages sweep nothing")
    }
}

/// Does not wait, and remembers for how long it should have.
#[derive(Default)]
struct RecordingPause {
    pauses: Mutex<Vec<Duration>>,
}

#[async_trait]
impl Pause for RecordingPause {
    async fn pause(&self, duration: Duration) {
        self.pauses.lock().unwrap().push(duration);
    }
}

struct Half;

impl Entropy for Half {
    fn fraction(&self) -> f64 {
        0.5
    }

    fn identifier(&self) -> String {
        "half".to_owned()
    }
}
