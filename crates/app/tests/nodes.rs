//! Several nodes that share rows and bundles: each thing is built by one of them, and none waits for another in vain.

#[expect(dead_code, reason = "shared with the tests of scans")]
mod world;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use mangrove_app::{
    loaders::Registry,
    on_demand::OnDemand,
    scan::{Ports, Report, ScanRequest, Scanner},
    types::Types as _,
};
use mangrove_domain::{
    digest::Digest,
    ports::{BuildLease, BuildLeases, Leased, SourceTree},
    source::Kind,
    state::StateName,
    type_name::TypeName,
};
use mangrove_testkit::fakes::{MemoryBuildLeases, MemoryBuildLocks, MemoryTree};
use tokio::{task::JoinHandle, time::timeout};
use world::{World, model, network_down};

/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(30);

/// A machine of its own: it shares rows, bundles and leases with others, and locks with nobody.
fn node(world: &World, leases: &MemoryBuildLeases, jobs: usize) -> Arc<Scanner> {
    node_with(world, leases, jobs, |ports| ports)
}

fn node_with(
    world: &World,
    leases: &MemoryBuildLeases,
    jobs: usize,
    change: impl FnOnce(Ports) -> Ports,
) -> Arc<Scanner> {
    let (locks, leases) = (Arc::new(MemoryBuildLocks::new()), Some(Arc::new(leases.clone()) as _));
    let ports = change(Ports { locks, leases, ..world.scanner.ports().clone() });
    Arc::new(Scanner::new(ports, Registry::built_in(), jobs))
}

fn start(scanner: &Arc<Scanner>) -> JoinHandle<Report> {
    let scanner = Arc::clone(scanner);
    tokio::spawn(async move { scanner.scan(&ScanRequest::default()).await.expect("a scan over fakes cannot fail") })
}

async fn ended(scan: JoinHandle<Report>) -> Report {
    timeout(LONG, scan).await.expect("it ends").expect("no panic")
}

fn ready(report: &Report) -> usize {
    report.rows.iter().filter(|row| row.state.name() == StateName::Indexed).count()
}

fn world(models: usize) -> World {
    let world = World::new();
    for number in 0..models {
        world.tree.write(&format!("models/{number}.ts"), &model(&format!("@acme/m{number}"), ""));
    }
    world
}

#[tokio::test]
async fn nodes_build_each_entry_once() {
    let world = world(30);
    let leases = MemoryBuildLeases::new();
    let scans: Vec<_> = (0..6).map(|_| start(&node(&world, &leases, 2))).collect();
    let mut built = 0;
    for scan in scans {
        let report = ended(scan).await;
        assert_eq!((ready(&report), report.problems.as_slice()), (30, &[][..]));
        built += report.statistics.built;
    }
    assert_eq!((built, world.bundler.take_calls().len()), (30, 30));
    assert_eq!(leases.held(), 0, "all are given back");
}

/// Who waits for as many entries as it has places (two for one job) builds the others meanwhile.
#[tokio::test]
async fn waiting_for_another_node_takes_no_place() {
    let world = world(6);
    let leases = MemoryBuildLeases::new();
    let held = ["models/0.ts", "models/1.ts"].map(|entry| world.bundler.hold_next(entry, None));
    let slow = start(&node(&world, &leases, 1));
    for held in &held {
        held.arrived().await;
    }
    let quick = start(&node(&world, &leases, 1));
    while world.catalog.rows().len() < 4 {
        assert!(!quick.is_finished() && !slow.is_finished());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    for held in &held {
        held.release();
    }
    let (slow, quick) = (ended(slow).await, ended(quick).await);
    assert_eq!((slow.statistics.built, quick.statistics.built), (2, 4));
    assert_eq!(ready(&quick), 6, "what the other one built is found by the next look");
}

/// A failure is an answer too: nobody repeats it because another node met it a moment ago.
#[tokio::test]
async fn what_failed_on_one_node_is_not_tried_again_by_those_who_waited() {
    let world = world(1);
    let leases = MemoryBuildLeases::new();
    let held = world.bundler.hold_next("models/0.ts", Some(network_down()));
    let first = start(&node(&world, &leases, 2));
    held.arrived().await;
    let others: Vec<_> = (0..3).map(|_| start(&node(&world, &leases, 2))).collect();
    tokio::time::sleep(Duration::from_millis(50)).await;
    held.release();
    assert_eq!(ended(first).await.statistics.built, 1);
    for other in others {
        let report = ended(other).await;
        assert_eq!((report.statistics.built, ready(&report)), (0, 0));
        assert_eq!(report.rows[0].failure().expect("the failure of the one that tried").attempts, 1);
    }
}

#[tokio::test]
async fn what_is_only_looked_at_asks_for_no_lease() {
    let world = world(3);
    let leases = MemoryBuildLeases::new();
    let node = node(&world, &leases, 2);
    assert_eq!(ready(&ended(start(&node)).await), 3);
    assert_eq!(leases.take_asked(), 3, "one for each build");
    // At rest.
    ended(start(&node)).await;
    // What its bundle is like has to be found out again.
    world.catalog.lose_description(&world.catalog.rows()[0].source);
    world.inspector.take_calls();
    let types = OnDemand::new(Arc::clone(&node));
    let (kind, name) = (Kind::new("model"), TypeName::stored("@acme/m0"));
    types.ready(&kind, &name).await.expect("its bundle is there");
    assert_eq!((world.inspector.take_calls().len(), world.bundler.take_calls().len()), (1, 3));
    assert_eq!(leases.take_asked(), 0);
}

/// Another node scans from beginning to end just before the first question.
struct Overtaking {
    leases: MemoryBuildLeases,
    other: Mutex<Option<Arc<Scanner>>>,
}

#[async_trait]
impl BuildLeases for Overtaking {
    async fn acquire(&self, fingerprint: Digest, patience: Duration) -> Leased {
        let other = self.other.lock().expect("not poisoned").take();
        if let Some(other) = other {
            ended(start(&other)).await;
        }
        self.leases.acquire(fingerprint, patience).await
    }

    async fn give_back(&self, leases: Vec<BuildLease>) {
        self.leases.give_back(leases).await;
    }
}

#[tokio::test]
async fn what_another_node_committed_just_now_is_not_built_again() {
    let world = world(1);
    let leases = MemoryBuildLeases::new();
    world.bundler.fail("models/0.ts", network_down());
    let other = Mutex::new(Some(node(&world, &leases, 1)));
    let overtaken = Some(Arc::new(Overtaking { leases: leases.clone(), other }) as _);
    let report = ended(start(&node_with(&world, &leases, 1, |ports| Ports { leases: overtaken, ..ports }))).await;
    assert_eq!((report.statistics.built, world.bundler.take_calls().len()), (0, 1));
    assert_eq!(report.rows[0].failure().expect("the failure of the one that tried").attempts, 1);
    assert_eq!(leases.held(), 0);
}

#[tokio::test]
async fn who_can_ask_nobody_builds_anyway() {
    let world = world(4);
    let leases = MemoryBuildLeases::new();
    // The one builds for ever, as far as the other can see; then nobody can say so any more.
    let held = world.bundler.hold_next("models/0.ts", None);
    let slow = start(&node(&world, &leases, 1));
    held.arrived().await;
    let other = start(&node(&world, &leases, 1));
    while leases.take_asked() > 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(!other.is_finished());
    leases.be_away(true);
    assert_eq!(ready(&ended(other).await), 4);
    held.release();
    ended(slow).await;
    world.tree.write("models/0.ts", &model("@acme/m0", "again"));
    let report = ended(start(&node(&world, &leases, 1))).await;
    assert_eq!((ready(&report), report.statistics.built), (4, 1));
}

/// A holder that lives and never ends is waited for as long as a build may take.
#[tokio::test]
async fn a_build_that_never_ends_is_waited_for_in_bounds() {
    let world = world(1);
    let leases = MemoryBuildLeases::new();
    let held = world.bundler.hold_next("models/0.ts", None);
    let hangs = start(&node(&world, &leases, 1));
    held.arrived().await;
    leases.be_impatient();
    let report = ended(start(&node(&world, &leases, 1))).await;
    assert_eq!((ready(&report), report.statistics.built), (1, 1));
    assert_eq!(leases.longest_patience(), Duration::from_mins(2));
    hangs.abort();
}

/// Nothing is heard of the holder, another node takes over, and both end at last: the row is that of the newer one, also where
/// the late one had begun with older sources.
#[tokio::test]
async fn a_late_holder_does_not_overwrite_what_a_newer_one_committed() {
    let world = world(1);
    let leases = MemoryBuildLeases::new();
    // It has the first version of the source for as long as the test says.
    let tree = Arc::new(MemoryTree::default());
    tree.write("models/0.ts", &model("@acme/m0", "first"));
    let own_tree = Arc::clone(&tree) as Arc<dyn SourceTree>;
    let late = node_with(&world, &leases, 1, |ports| Ports { tree: own_tree, ..ports });
    world.tree.write("models/0.ts", &model("@acme/m0", "second"));
    let held = world.bundler.hold_next("models/0.ts", None);
    let late = start(&late);
    held.arrived().await;
    leases.expire();
    let newer = ended(start(&node(&world, &leases, 1))).await;
    let committed = world.catalog.rows();
    assert_eq!((ready(&newer), newer.statistics.built), (1, 1));
    tree.write("models/0.ts", &model("@acme/m0", "second"));
    held.release();
    let late = ended(late).await;
    assert_eq!(world.catalog.rows(), committed, "nothing was written over it");
    assert_eq!(late.rows[0].bundle(), newer.rows[0].bundle());
    assert_eq!(late.problems, []);
}

#[tokio::test]
async fn who_waits_for_another_node_can_be_cancelled() {
    let world = world(1);
    let leases = MemoryBuildLeases::new();
    let held = world.bundler.hold_next("models/0.ts", None);
    let slow = start(&node(&world, &leases, 2));
    held.arrived().await;
    let request = ScanRequest::default();
    let cancellation = request.cancellation.clone();
    let scanner = node(&world, &leases, 2);
    let waiting = tokio::spawn(async move { scanner.scan(&request).await.expect("a scan over fakes cannot fail") });
    tokio::time::sleep(Duration::from_millis(50)).await;
    cancellation.cancel();
    assert!(ended(waiting).await.is_cancelled);
    held.release();
    assert_eq!(ready(&ended(slow).await), 1);
    assert_eq!(leases.held(), 0);
}
