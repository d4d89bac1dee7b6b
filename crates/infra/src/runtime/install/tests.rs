use std::{collections::BTreeMap, os::unix::fs::PermissionsExt as _, sync::Arc};

use async_trait::async_trait;
use mangrove_domain::{failure::FailureClass, problem::Code};
use mangrove_npm::{
    Options, registry,
    vendor::{VendorBundler, VendorOutput, VendorRequest},
};
use mangrove_testkit::registry::{FakePackage, FakeRegistry, Misbehaviour};

use super::*;
use crate::{store::LocalStore, system::SystemEntropy};

struct NoVendor;

#[async_trait]
impl VendorBundler for NoVendor {
    async fn build_vendor(&self, _request: VendorRequest) -> Result<VendorOutput, Fault> {
        panic!("nothing is bundled")
    }
}

struct World {
    directory: tempfile::TempDir,
    registry: FakeRegistry,
}

impl World {
    fn new(script: &str) -> Self {
        let registry = FakeRegistry::start().unwrap();
        let package = FakePackage::new(package().unwrap(), DENO_VERSION);
        registry.publish(package.file("deno", &format!("#!/bin/sh\n{script}\n")).file("README.md", "Deno"));
        Self { directory: tempfile::tempdir().unwrap(), registry }
    }

    fn packages(&self, is_offline: bool) -> NpmPackages {
        let state_directory = self.directory.path().to_owned();
        NpmPackages::new(Options {
            store: Arc::new(LocalStore::new(state_directory.join("bundles"))),
            repository: state_directory.clone(),
            state_directory,
            environment: BTreeMap::from([("MANGROVE_NPM_REGISTRY".to_owned(), self.registry.url())]),
            is_offline,
            is_locked: false,
            vendor: Arc::new(NoVendor),
            vendor_identity: String::new(),
            locks: Arc::new(mangrove_domain::ports::NoBuildLocks),
            limits: registry::Limits { attempts: 1, ..registry::Limits::default() },
            pause: Arc::new(registry::SystemPause),
            entropy: Arc::new(SystemEntropy),
        })
    }

    async fn install(&self, is_offline: bool) -> Result<Installed, Fault> {
        let places =
            ProgramLocations { state_directory: self.directory.path().to_owned(), ..ProgramLocations::default() };
        deno(&self.packages(is_offline), &places, &Versions::new(self.directory.path(), false)).await
    }

    /// What lies in the directory of programs.
    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.directory.path().join("runtime")).into_iter().flatten().flatten();
        let mut names: Vec<String> = entries.map(|entry| entry.file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

const GOOD: &str = "echo 'deno 2.9.6 (stable)'";

#[tokio::test]
async fn fetches_verifies_and_installs_once() {
    let world = World::new(GOOD);
    let heard = Arc::new(std::sync::Mutex::new(Vec::new()));
    let packages = world.packages(false);
    let listener = Arc::clone(&heard);
    packages.on_bytes(Arc::new(move |received, total| listener.lock().unwrap().push((received, total))));
    let places = ProgramLocations { state_directory: world.directory.path().to_owned(), ..ProgramLocations::default() };
    let versions = Versions::new(world.directory.path(), false);
    let installed = deno(&packages, &places, &versions).await.unwrap();
    assert!(installed.is_new);
    assert_eq!(installed.version, DENO_VERSION);
    assert_ne!(fs::metadata(&installed.path).unwrap().permissions().mode() & 0o111, 0, "it can be run");
    let last = heard.lock().unwrap().last().copied().unwrap();
    assert_eq!(Some(last.0), last.1, "the bar reaches its end");
    assert_eq!(world.names(), ["deno", "versions.json"], "nothing is left behind");
    assert_eq!(places.deno().unwrap().path, installed.path);

    let requests = world.registry.requests().len();
    assert!(!world.install(false).await.unwrap().is_new, "it is there");
    assert_eq!(world.registry.requests().len(), requests, "nobody is asked");

    fs::write(&installed.path, "damaged").unwrap();
    assert!(world.install(true).await.unwrap().is_new, "what is cached needs no network to be put back");
}

#[tokio::test]
async fn fault_46_what_does_not_match_its_integrity_is_not_installed() {
    let world = World::new(GOOD);
    world.registry.misbehave(None, Misbehaviour::WrongIntegrity, None);
    let fault = world.install(false).await.unwrap_err();
    assert_eq!(fault.code, Code::INTEGRITY_MISMATCH, "{fault}");
    assert_eq!(world.names(), [""; 0]);
    world.registry.heal().unwrap();
    assert!(world.install(false).await.unwrap().is_new);
}

#[tokio::test]
async fn what_does_not_run_here_does_not_replace_what_does() {
    let world = World::new("exit 1");
    let fault = world.install(false).await.unwrap_err();
    assert_eq!((fault.class, fault.code), (FailureClass::Environment, Code::RUNTIME_FAILED), "{fault}");
    assert!(!world.directory.path().join("runtime/deno").exists());
}

#[tokio::test]
async fn without_a_network_it_says_so() {
    let world = World::new(GOOD);
    let fault = world.install(true).await.unwrap_err();
    assert_eq!((fault.class, fault.code), (FailureClass::Environment, Code::OFFLINE), "{fault}");
    world.registry.go_down();
    let fault = world.install(false).await.unwrap_err();
    assert_eq!((fault.class, fault.code), (FailureClass::Transient, Code::REGISTRY_UNREACHABLE), "{fault}");
    world.registry.come_up().unwrap();
    assert!(world.install(false).await.unwrap().is_new);
}
