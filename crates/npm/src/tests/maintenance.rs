use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use mangrove_domain::{
    cache::PrunedPackages,
    digest::Digest,
    ports::{PruneRequest, RequiredPackages},
    problem::Code,
};
use mangrove_testkit::registry::{FakePackage, Misbehaviour};

use super::{World, closure, prepare};
use crate::{NpmPackages, Options, update::Update};

fn newer(name: &str, version: &str) -> FakePackage {
    FakePackage::new(name, version).file("index.js", version)
}

fn moves(update: &Update) -> BTreeMap<&str, (String, bool)> {
    let outcome = |after: &Result<_, mangrove_domain::failure::Fault>| match after {
        Ok(package) => format!("{package}"),
        Err(fault) => fault.code.to_string(),
    };
    let outcome: &dyn Fn(&Result<crate::specifier::PackageId, _>) -> String = &outcome;
    update
        .requirements
        .iter()
        .map(|updated| (updated.requirement.as_str(), (outcome(&updated.after), updated.is_moved)))
        .collect()
}

fn request(stored: &BTreeSet<Digest>, grace: Duration, is_dry_run: bool) -> PruneRequest {
    PruneRequest { locks: BTreeSet::new(), required: None, stored: stored.clone(), grace, is_dry_run }
}

async fn world() -> World {
    let world = World::new();
    world.registry.publish(newer("tool", "1.0.0"));
    prepare(&world.packages(), &["npm:zod@4", "npm:tool@1"]).await.unwrap();
    world.registry.publish(newer("zod", "4.9.0"));
    world.registry.publish(newer("tool", "1.2.0"));
    world
}

#[tokio::test]
async fn an_update_moves_ranges_and_a_scan_never_does() {
    let world = world().await;
    let packages = world.packages();
    assert_eq!(closure(&packages, &["npm:zod@4"]).await[0].key, "zod@4.3.6");
    let update = packages.update(&["zod".to_owned(), "left-pad".to_owned()], false).await.unwrap();
    assert_eq!(moves(&update), BTreeMap::from([("npm:zod@4", ("zod@4.9.0".to_owned(), true))]));
    assert_eq!(update.unknown, ["left-pad"]);
    assert_eq!(closure(&packages, &["npm:zod@4"]).await[0].key, "zod@4.9.0");
    assert_eq!(closure(&packages, &["npm:tool@1"]).await[0].key, "tool@1.0.0", "it was not named");
    let again = packages.update(&[], false).await.unwrap();
    assert!(!moves(&again)["npm:zod@4"].1 && moves(&again)["npm:tool@1"].1);
    assert!(!world.directory.path().join("mangrove.lock").exists());
}

#[tokio::test]
async fn a_pinned_update_writes_the_committed_lock_and_then_moves_it() {
    let world = world().await;
    let packages = world.packages();
    packages.update(&["tool".to_owned()], true).await.unwrap();
    let committed = std::fs::read_to_string(world.directory.path().join("mangrove.lock")).unwrap();
    assert!(committed.contains("tool@1.2.0") && committed.contains("zod@4.3.6"), "{committed}");
    // Alone it is enough, on another machine.
    std::fs::remove_file(world.state().join("npm.lock")).unwrap();
    let locked = NpmPackages::new(Options { is_locked: true, ..world.options() });
    let prepared = prepare(&locked, &["npm:zod@4", "npm:tool@1"]).await.unwrap();
    assert_eq!(prepared.packages.lines().unwrap().len(), 2);
    let fault = locked.update(&[], false).await.unwrap_err();
    assert_eq!(fault.code, Code::LOCK_OUTDATED);
    assert!(fault.message.contains("npm:zod@4"), "{}", fault.message);
    assert_eq!(std::fs::read_to_string(world.directory.path().join("mangrove.lock")).unwrap(), committed);
    world.packages().update(&[], false).await.unwrap();
    assert_eq!(closure(&locked, &["npm:zod@4"]).await[0].key, "zod@4.9.0");
}

#[tokio::test]
async fn what_cannot_be_had_stays_locked_as_it_was() {
    let world = world().await;
    world.registry.misbehave(Some("/zod/-/zod-4.9.0.tgz"), Misbehaviour::Status(404), None);
    let packages = world.packages();
    let update = packages.update(&[], false).await.unwrap();
    assert_eq!(moves(&update)["npm:zod@4"], (Code::PACKAGE_NOT_FOUND.to_string(), false));
    assert_eq!(moves(&update)["npm:tool@1"], ("tool@1.2.0".to_owned(), true));
    assert_eq!(closure(&packages, &["npm:zod@4"]).await[0].key, "zod@4.3.6");
}

#[tokio::test]
async fn pruning_removes_what_no_lock_names() {
    let world = world().await;
    let packages = world.packages();
    packages.update(&["zod".to_owned()], false).await.unwrap();
    let stored: BTreeSet<_> = world.store.vendors.lock().unwrap().keys().copied().collect();
    let before = world.cached_files();
    let archives = |files: &[String]| files.iter().filter(|file| file.ends_with(".tgz")).cloned().collect::<Vec<_>>();
    assert_eq!(archives(&before).len(), 3);
    let kept = packages.prune(&request(&stored, Duration::from_hours(1), false)).await.unwrap();
    assert_eq!(kept.files.files, 0, "what was fetched a moment ago may not be locked yet");

    let usage = packages.usage().await.unwrap();
    assert_eq!((usage.archives.files, usage.metadata.files, usage.units.files), (3, 2, 2));
    let told = packages.prune(&request(&stored, Duration::ZERO, true)).await.unwrap();
    let removed = packages.prune(&request(&stored, Duration::ZERO, false)).await.unwrap();
    assert_eq!(told, removed, "a dry run tells what would go, and leaves it");
    assert_eq!(removed.files.files, 1);
    assert_eq!(
        archives(&world.cached_files()),
        ["registries/REGISTRY/tool/1.0.0/package.tgz", "registries/REGISTRY/zod/4.9.0/package.tgz"]
    );
    assert_eq!(packages.usage().await.unwrap().archives.bytes, usage.archives.bytes - removed.files.bytes);
    // Offline, everything that is locked is still there.
    prepare(&world.offline(), &["npm:zod@4", "npm:tool@1"]).await.unwrap();
}

#[tokio::test]
async fn nothing_is_pruned_while_a_lock_cannot_be_read() {
    let world = world().await;
    std::fs::write(world.directory.path().join("mangrove.lock"), "oops").unwrap();
    let before = world.cached_files();
    let fault = world.packages().prune(&request(&BTreeSet::new(), Duration::ZERO, false)).await.unwrap_err();
    assert_eq!(fault.code, Code::MALFORMED_DOCUMENT);
    assert_eq!(world.cached_files(), before);
}

#[tokio::test]
async fn f03_the_cache_is_neither_written_nor_pruned_through_links() {
    for linked in ["units", "scratch", "registries"] {
        let world = World::new();
        let outside = world.directory.path().join("outside");
        std::fs::create_dir(&outside).unwrap();
        std::fs::write(outside.join("diary"), "dear diary").unwrap();
        let link = world.state().join("npm").join(linked);
        std::fs::create_dir_all(link.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(&outside, &link).unwrap();
        let fault = prepare(&world.packages(), &["npm:zod@4"]).await.unwrap_err();
        assert_eq!(fault.code, Code::STATE_LINK, "{linked}: {}", fault.message);
        assert!(fault.message.contains(&format!("{} is a symbolic link", link.display())), "{}", fault.message);
        world.packages().prune(&request(&BTreeSet::new(), Duration::ZERO, false)).await.unwrap();
        let left: Vec<_> = std::fs::read_dir(&outside).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["diary"], "{linked}");
    }
}

#[tokio::test]
async fn f03_a_link_below_a_cached_package_is_not_followed() {
    let world = World::new();
    prepare(&world.packages(), &["npm:zod@4"]).await.unwrap();
    let outside = world.directory.path().join("outside/1.0.0");
    std::fs::create_dir_all(&outside).unwrap();
    std::fs::write(outside.join("package.tgz"), "mine").unwrap();
    let registry = std::fs::read_dir(world.state().join("npm/registries")).unwrap().next().unwrap().unwrap().path();
    std::os::unix::fs::symlink(outside.parent().unwrap(), registry.join("left-pad")).unwrap();
    world.packages().prune(&request(&BTreeSet::new(), Duration::ZERO, false)).await.unwrap();
    assert_eq!(std::fs::read_to_string(outside.join("package.tgz")).unwrap(), "mine");
}

/// What sources import, and what bundles in use were made of.
fn required(specifiers: &[&str], packages: &[&str]) -> RequiredPackages {
    let set = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    RequiredPackages { specifiers: set(specifiers), packages: set(packages) }
}

#[tokio::test]
async fn what_no_source_requires_leaves_our_lock_and_its_archives_go_with_it() {
    let world = world().await;
    let packages = world.packages();
    let stored: BTreeSet<_> = world.store.vendors.lock().unwrap().keys().copied().collect();
    let prune = async |required, grace, is_dry_run| {
        let request = PruneRequest { required, ..request(&stored, grace, is_dry_run) };
        packages.prune(&request).await.unwrap()
    };
    let lock = || std::fs::read_to_string(world.state().join("npm.lock")).unwrap();
    let before = lock();
    let nothing = PrunedPackages::default();
    let hour = Duration::from_hours(1);
    assert_eq!(prune(None, Duration::ZERO, false).await, nothing, "nobody knows what is required");
    assert_eq!(prune(Some(required(&[], &[])), hour, false).await, nothing, "it was locked a moment ago");
    let of_sources = required(&["npm:zod@4/v4", "npm:tool@1", "jsr:@std/path", "node:fs"], &[]);
    assert_eq!(prune(Some(of_sources), Duration::ZERO, false).await, nothing, "sources import both");
    let of_bundles = required(&["npm:zod@4"], &["tool@1.0.0"]);
    assert_eq!(prune(Some(of_bundles), Duration::ZERO, false).await, nothing, "a bundle in use was made of it");
    assert_eq!(lock(), before);

    // Another range of the same package is another requirement.
    let other = required(&["npm:zod@4", "npm:tool@^1.0"], &["tool@1.2.0"]);
    let told = prune(Some(other.clone()), Duration::ZERO, true).await;
    assert_eq!((told.requirements, told.files.files), (1, 2), "its archive and its metadata");
    assert_eq!(lock(), before, "a dry run tells and leaves it");
    assert_eq!(prune(Some(other), Duration::ZERO, false).await, told);
    assert!(lock().contains("npm:zod@4") && !lock().contains("tool"), "{}", lock());
    // It is required again.
    prepare(&packages, &["npm:tool@1"]).await.unwrap();
    assert_eq!(closure(&packages, &["npm:tool@1"]).await[0].key, "tool@1.2.0");
}

#[tokio::test]
async fn a_lock_that_people_keep_is_never_pruned() {
    let world = world().await;
    let packages = world.packages();
    packages.update(&["tool".to_owned()], true).await.unwrap();
    let committed = || std::fs::read_to_string(world.directory.path().join("mangrove.lock")).unwrap();
    let before = committed();
    let request =
        PruneRequest { required: Some(required(&[], &[])), ..request(&BTreeSet::new(), Duration::ZERO, false) };
    packages.prune(&request).await.unwrap();
    assert_eq!(committed(), before);
    assert_eq!(closure(&packages, &["npm:tool@1"]).await[0].key, "tool@1.2.0");
}

#[tokio::test]
async fn what_a_lock_said_before_it_changed_is_not_kept() {
    let world = world().await;
    let packages = world.packages();
    let own = || packages.inner.own.trees().unwrap();
    let mut earlier = Vec::new();
    for version in 2..6 {
        // As sources that move from one version to the next.
        world.registry.publish(newer("moving", &format!("{version}.0.0")));
        prepare(&packages, &[&format!("npm:moving@{version}")]).await.unwrap();
        closure(&packages, &[&format!("npm:moving@{version}")]).await;
        earlier.push(std::sync::Arc::downgrade(&own()));
    }
    let kept = earlier.iter().filter(|trees| trees.upgrade().is_some()).count();
    assert_eq!(kept, 1, "only what it says now");
}
