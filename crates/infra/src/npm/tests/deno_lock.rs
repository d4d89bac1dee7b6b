use std::path::PathBuf;

use mangrove_domain::{
    failure::FailureClass,
    fingerprint::Line,
    ports::{PackageRequest, Packages as _},
    problem::Code,
};
use mangrove_testkit::registry::{FakePackage, integrity};
use serde_json::{Value, json};

use super::{World, prepare, request, zod};
use crate::npm::NpmPackages;

fn old_zod() -> FakePackage {
    FakePackage::new("zod", "4.1.0").file("index.js", "export const z = 'old';")
}

/// A registry that has a newer zod than the lock.
fn world() -> World {
    let world = World::new();
    world.registry.publish(old_zod());
    world.registry.publish(zod());
    world
}

fn write(world: &World, lock: &Value) -> PathBuf {
    let path = world.directory.path().join("deno.lock");
    // Another length or another time: a change is seen either way.
    std::fs::write(&path, lock.to_string()).unwrap();
    path
}

fn governed(specifiers: &[&str], path: &std::path::Path) -> PackageRequest {
    PackageRequest { lock: Some(path.to_owned()), ..request(specifiers) }
}

async fn lines(packages: &NpmPackages, request: &PackageRequest) -> Vec<Line> {
    packages.closure(request).await.unwrap().lines().unwrap()
}

fn entry(package: &FakePackage) -> Value {
    json!({ "integrity": integrity(&package.archive()) })
}

#[tokio::test]
async fn every_version_of_the_file_governs_before_all_other_locks() {
    let nested = json!({ "version": "3", "packages": {
        "specifiers": { "npm:zod@4": "npm:zod@4.1.0" }, "npm": { "zod@4.1.0": entry(&old_zod()) } } });
    let flat = |version: &str| {
        json!({ "version": version, "specifiers": { "npm:zod@4": "4.1.0", "jsr:@std/path@1": "1.0.0" },
            "npm": { "zod@4.1.0": entry(&old_zod()) } })
    };
    for lock in [nested, flat("4"), flat("5")] {
        let world = world();
        // Ours says otherwise.
        prepare(&world.packages(), &["npm:zod@4"]).await.unwrap();
        let path = write(&world, &lock);
        let packages = world.packages();
        let request = governed(&["npm:zod@4"], &path);
        let expected = [Line::new("zod@4.1.0", integrity(&old_zod().archive()))];
        assert_eq!(lines(&packages, &request).await, expected, "{lock}");
        let prepared = packages.prepare(&request).await.unwrap();
        assert_eq!(prepared.packages.lines().unwrap(), expected);
        assert_eq!(world.vendor.last().request.package, "zod@4.1.0");
        assert!(!world.lock_text().contains("4.1.0"), "what Deno locks is not locked again");
        // An entry that it does not govern follows our own lock.
        let other = lines(&packages, &super::request(&["npm:zod@4"])).await;
        assert_eq!(other[0].key, "zod@4.3.6");
    }
}

#[tokio::test]
async fn fault_46_the_closure_follows_the_governing_lock_and_nothing_else_of_it() {
    let world = world();
    let lock = |version: &str, package: &FakePackage, other: &str| {
        json!({ "version": "5", "specifiers": { "npm:zod@4": version, "npm:other@1": other },
            "npm": { format!("zod@{version}"): entry(package), format!("other@{other}"): entry(&old_zod()) } })
    };
    let path = write(&world, &lock("4.1.0", &old_zod(), "1.0.0"));
    let packages = world.packages();
    let request = governed(&["npm:zod@4"], &path);
    let before = packages.closure(&request).await.unwrap();
    write(&world, &lock("4.1.0", &old_zod(), "1.0.10"));
    assert_eq!(packages.closure(&request).await.unwrap().digest(), before.digest(), "an unrelated entry moved");
    write(&world, &lock("4.3.6", &zod(), "1.0.10"));
    assert_ne!(packages.closure(&request).await.unwrap().digest(), before.digest());
    // A lock that is gone governs nothing.
    std::fs::remove_file(&path).unwrap();
    assert_eq!(lines(&packages, &request).await, [Line::new("npm:zod@4", "unlocked")]);
}

#[tokio::test]
async fn dependencies_peers_and_aliases_are_laid_out() {
    let world = World::new();
    let app = FakePackage::new("app", "1.0.0").file("index.js", "");
    let peer = FakePackage::new("@acme/peer", "2.0.0").file("index.js", "");
    for package in [&app, &peer, &old_zod()] {
        world.registry.publish(package.clone());
    }
    let lock = json!({ "version": "5", "specifiers": { "npm:app@*": "1.0.0_@acme+peer@2.0.0" }, "npm": {
        "app@1.0.0_@acme+peer@2.0.0": {
            "integrity": integrity(&app.archive()), "dependencies": ["@acme/peer", "old@npm:zod@4.1.0", "zod@4.3.6"],
            "optionalDependencies": ["native"] },
        "@acme/peer@2.0.0": { "integrity": integrity(&peer.archive()), "dependencies": ["zod@4.1.0"] },
        "native@1.0.0": { "integrity": "sha512-AAAA", "os": ["linux"] },
        "zod@4.1.0": entry(&old_zod()), "zod@4.3.6": entry(&zod()) } });
    let path = write(&world, &lock);
    world.packages().prepare(&governed(&["npm:app"], &path)).await.unwrap();
    let files = world.vendor.last().files;
    let version = |place: &str| {
        let text = &files[&format!("{place}/package.json")];
        serde_json::from_str::<Value>(text).unwrap()["version"].as_str().unwrap().to_owned()
    };
    assert_eq!(version("node_modules/app"), "1.0.0");
    assert_eq!(version("node_modules/@acme/peer"), "2.0.0");
    assert_eq!(version("node_modules/zod"), "4.3.6");
    assert_eq!(version("node_modules/old"), "4.1.0");
    assert_eq!(version("node_modules/@acme/peer/node_modules/zod"), "4.1.0");
    assert!(!files.keys().any(|file| file.contains("native")));
}

#[tokio::test]
async fn a_lock_that_makes_no_sense_is_told_of_those_who_need_it() {
    let good = ("zod@4.1.0", entry(&old_zod()));
    let cases = [
        ("oops".to_owned(), Code::MALFORMED_DOCUMENT, "line 1"),
        (json!({ "version": "2" }).to_string(), Code::INVALID_DOCUMENT, "version 2"),
        (
            json!({ "version": "5", "specifiers": { "npm:zod@4": "4.1.0" }, "npm": {} }).to_string(),
            Code::INVALID_DOCUMENT,
            "zod@4.1.0 is not there",
        ),
        (
            json!({ "version": "5", "specifiers": { "npm:zod@4": "4.1.0" }, "npm": { "zod@4.1.0": {} } }).to_string(),
            Code::INVALID_DOCUMENT,
            "no integrity",
        ),
        (
            json!({ "version": "5", "specifiers": { "npm:zod@4": "../../x" }, "npm": { good.0: good.1 } }).to_string(),
            Code::INVALID_DOCUMENT,
            "../../x",
        ),
    ];
    for (text, code, detail) in cases {
        let world = world();
        let path = world.directory.path().join("deno.lock");
        std::fs::write(&path, &text).unwrap();
        let fault = world.packages().prepare(&governed(&["npm:zod@4"], &path)).await.unwrap_err();
        assert_eq!((fault.class, fault.code), (FailureClass::Environment, code), "{text}");
        assert!(fault.message.contains(detail) && fault.message.contains("deno.lock"), "{}", fault.message);
        // Who is not governed by it does not suffer.
        prepare(&world.packages(), &["npm:zod@4"]).await.unwrap();
    }
}
