//! Several processes at the same catalog: each thing is built by one of them, and none waits for another in vain.

#[expect(dead_code, reason = "shared with the tests of scans")]
mod world;

use std::{sync::Arc, time::Duration};

use mangrove_app::{
    loaders::Registry,
    scan::{Ports, Report, ScanRequest, Scanner},
};
use mangrove_domain::state::StateName;
use mangrove_testkit::fakes::MemoryBuildLocks;
use tokio::task::JoinHandle;
use world::{World, model, network_down};

/// One more process over the same disk that shares these locks with others.
fn rival(world: &World, locks: &MemoryBuildLocks, jobs: usize) -> Arc<Scanner> {
    let ports = Ports { locks: Arc::new(locks.clone()), ..world.scanner.ports().clone() };
    Arc::new(Scanner::new(ports, Registry::built_in(), jobs))
}

fn start(scanner: &Arc<Scanner>) -> JoinHandle<Report> {
    let scanner = Arc::clone(scanner);
    tokio::spawn(async move { scanner.scan(&ScanRequest::default()).await.expect("a scan over fakes cannot fail") })
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
async fn six_processes_build_each_entry_once() {
    let world = world(30);
    let locks = MemoryBuildLocks::new();
    let scans: Vec<_> = (0..6).map(|_| start(&rival(&world, &locks, 2))).collect();
    let mut built = 0;
    for scan in scans {
        let report = scan.await.expect("it does not panic");
        assert_eq!((ready(&report), report.problems.as_slice()), (30, &[][..]));
        built += report.statistics.built;
    }
    assert_eq!((built, world.bundler.take_calls().len()), (30, 30));
}

/// Who waits for as many entries as it has places (two for one job) builds the others meanwhile.
#[tokio::test]
async fn waiting_for_another_process_takes_no_place() {
    let world = world(6);
    let locks = MemoryBuildLocks::new();
    let held = ["models/0.ts", "models/1.ts"].map(|entry| world.bundler.hold_next(entry, None));
    let slow = start(&rival(&world, &locks, 1));
    for held in &held {
        held.arrived().await;
    }
    let quick = start(&rival(&world, &locks, 1));
    while world.catalog.rows().len() < 4 {
        assert!(!quick.is_finished() && !slow.is_finished());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    for held in &held {
        held.release();
    }
    let (slow, quick) = (slow.await.expect("no panic"), quick.await.expect("no panic"));
    assert_eq!((slow.statistics.built, quick.statistics.built), (2, 4));
    assert_eq!(ready(&quick), 6, "what the other one built is found by the next look");
}

/// A failure is an answer too: nobody repeats it because somebody else met it a moment ago.
#[tokio::test]
async fn what_failed_in_one_process_is_not_tried_again_by_those_who_waited() {
    let world = world(1);
    let locks = MemoryBuildLocks::new();
    let held = world.bundler.hold_next("models/0.ts", Some(network_down()));
    let first = start(&rival(&world, &locks, 2));
    held.arrived().await;
    let others: Vec<_> = (0..3).map(|_| start(&rival(&world, &locks, 2))).collect();
    tokio::time::sleep(Duration::from_millis(50)).await;
    held.release();
    assert_eq!(first.await.expect("no panic").statistics.built, 1);
    for other in others {
        let report = other.await.expect("no panic");
        assert_eq!((report.statistics.built, ready(&report)), (0, 0));
        let failure = report.rows[0].failure().expect("the failure of the one that tried");
        assert_eq!(failure.attempts, 1);
    }
}

/// The holder is killed while it builds: the lock is free, and the one who waited builds.
#[tokio::test]
async fn fault_39_what_a_killed_process_did_not_finish_is_built_by_the_next() {
    let world = world(1);
    let locks = MemoryBuildLocks::new();
    let held = world.bundler.hold_next("models/0.ts", None);
    let killed = start(&rival(&world, &locks, 2));
    held.arrived().await;
    let next = start(&rival(&world, &locks, 2));
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(!next.is_finished());
    killed.abort();
    let report = tokio::time::timeout(Duration::from_secs(30), next).await.expect("it waits no more");
    let report = report.expect("no panic");
    assert_eq!((report.statistics.built, ready(&report)), (1, 1));
}

#[tokio::test]
async fn who_waits_for_another_process_can_be_cancelled() {
    let world = world(1);
    let locks = MemoryBuildLocks::new();
    let held = world.bundler.hold_next("models/0.ts", None);
    let slow = start(&rival(&world, &locks, 2));
    held.arrived().await;
    let request = ScanRequest::default();
    let cancellation = request.cancellation.clone();
    let scanner = rival(&world, &locks, 2);
    let waiting = tokio::spawn(async move { scanner.scan(&request).await.expect("a scan over fakes cannot fail") });
    tokio::time::sleep(Duration::from_millis(50)).await;
    cancellation.cancel();
    let report = tokio::time::timeout(Duration::from_secs(30), waiting).await.expect("it stops").expect("no panic");
    assert!(report.is_cancelled);
    held.release();
    assert_eq!(ready(&slow.await.expect("no panic")), 1);
}
