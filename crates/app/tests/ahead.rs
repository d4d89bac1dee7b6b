//! How much a scan begins ahead of what works: no more than it can hold, and never less because something waits.

#[expect(dead_code, reason = "shared with the tests of scans")]
mod world;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use mangrove_app::{
    loaders::Registry,
    scan::{Ports, ScanRequest, Scanner},
};
use mangrove_domain::{
    failure::Fault,
    fingerprint::Part,
    outage::Outages,
    package::{PackageRequest, PreparedPackages},
    ports::Packages,
};
use tokio::sync::Semaphore;
use world::{World, model};

/// Packages that count who asks to have them made ready. Those of `npm:slow` are ready when a test lets them be.
struct Counted {
    inner: Arc<dyn Packages>,
    asked: AtomicUsize,
    slow: Semaphore,
}

#[async_trait]
impl Packages for Counted {
    async fn closure(&self, request: &PackageRequest) -> Result<Part, Fault> {
        self.inner.closure(request).await
    }

    async fn prepare(&self, request: &PackageRequest, outages: &Arc<Outages>) -> Result<PreparedPackages, Fault> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        if request.specifiers.iter().any(|specifier| specifier.starts_with("npm:slow")) {
            let _ready = self.slow.acquire().await;
        }
        self.inner.prepare(request, outages).await
    }
}

/// A scanner with one job, and what its packages count.
fn scanner(world: &World) -> (Arc<Scanner>, Arc<Counted>) {
    let ports = world.scanner.ports().clone();
    let inner = Arc::clone(&ports.packages);
    let counted = Arc::new(Counted { inner, asked: AtomicUsize::new(0), slow: Semaphore::new(0) });
    let ports = Ports { packages: Arc::clone(&counted) as _, ..ports };
    (Arc::new(Scanner::new(ports, Registry::built_in(), 1)), counted)
}

#[tokio::test]
async fn of_thousands_only_a_few_are_made_ready_ahead_of_those_that_work() {
    let world = World::new();
    let mut held = Vec::new();
    for number in 0..200 {
        let path = format!("models/m{number:03}.ts");
        world.tree.write(&path, &model(&format!("@acme/m{number:03}"), "import npm:zod@4"));
        held.push(world.bundler.hold_next(&path, None));
    }
    let (scanner, packages) = scanner(&world);
    let scan = tokio::spawn(async move { scanner.scan(&ScanRequest::default()).await });
    held[0].arrived().await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    // Two have a place, and sixteen are ahead of them.
    assert_eq!(packages.asked.load(Ordering::Relaxed), 18);
    for held in &held {
        held.release();
    }
    let report = scan.await.expect("no panic").expect("a scan over fakes");
    assert_eq!((report.statistics.built, packages.asked.load(Ordering::Relaxed)), (200, 200));
}

#[tokio::test]
async fn who_waits_for_a_registry_keeps_nobody_from_being_built() {
    let world = World::new();
    for number in 0..100 {
        let package = if number < 60 { "slow" } else { "zod" };
        let path = format!("models/m{number:03}.ts");
        world.tree.write(&path, &model(&format!("@acme/m{number:03}"), &format!("import npm:{package}@4")));
    }
    let (scanner, packages) = scanner(&world);
    let scan = tokio::spawn(async move { scanner.scan(&ScanRequest::default()).await });
    // All that wait for nothing are built and committed.
    while world.catalog.rows().len() < 40 {
        assert!(!scan.is_finished());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(!scan.is_finished());
    packages.slow.close();
    let report = scan.await.expect("no panic").expect("a scan over fakes");
    assert_eq!(report.statistics.built, 100);
}
