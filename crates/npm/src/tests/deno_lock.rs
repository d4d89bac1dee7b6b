use std::{path::PathBuf, sync::Arc};

use mangrove_domain::{
    failure::FailureClass, fingerprint::Line, package::PackageRequest, ports::Packages as _, problem::Code,
};
use mangrove_testkit::registry::{FakePackage, integrity};
use serde_json::{Value, json};

use super::{World, prepare, request, zod};
use crate::{NpmPackages, deno_lock::DenoLocks};

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
    let second = json!({ "version": "2", "remote": {}, "npm": {
        "specifiers": { "zod@4": "zod@4.1.0" },
        "packages": { "zod@4.1.0": { "integrity": integrity(&old_zod().archive()), "dependencies": {} } } } });
    for lock in [second, nested, flat("4"), flat("5")] {
        let world = world();
        // Ours says otherwise.
        prepare(&world.packages(), &["npm:zod@4"]).await.unwrap();
        let path = write(&world, &lock);
        let packages = world.packages();
        let request = governed(&["npm:zod@4"], &path);
        let expected = [Line::new("zod@4.1.0", integrity(&old_zod().archive()))];
        assert_eq!(lines(&packages, &request).await, expected, "{lock}");
        let prepared = packages.prepare(&request, &Arc::default()).await.unwrap();
        assert_eq!(prepared.packages.lines().unwrap(), expected);
        assert_eq!(world.vendor.last().request.package, "zod@4.1.0");
        assert!(!world.lock_text().contains("4.1.0"), "what Deno locks is not locked again");
        // An entry that it does not govern follows our own lock.
        let other = lines(&packages, &super::request(&["npm:zod@4"])).await;
        assert_eq!(other[0].key, "zod@4.3.6");
    }
}

#[tokio::test]
async fn a_range_governs_however_it_is_written() {
    for (asked, written) in [("^4", "4"), ("^4.0.0", "4"), ("4.x", "4"), ("~4.1", "4.1"), ("", "*"), ("4", "^4.0.0")] {
        let world = world();
        let lock = json!({ "version": "5", "specifiers": { format!("npm:zod@{written}"): "4.1.0", "npm:zod@3": "3.0.0" },
            "npm": { "zod@4.1.0": entry(&old_zod()) } });
        let path = write(&world, &lock);
        let specifier = if asked.is_empty() { "npm:zod".to_owned() } else { format!("npm:zod@{asked}") };
        let lines = lines(&world.packages(), &governed(&[&specifier], &path)).await;
        assert_eq!(lines, [Line::new("zod@4.1.0", integrity(&old_zod().archive()))], "{asked} as {written}");
    }
    let world = world();
    let lock =
        json!({ "version": "5", "specifiers": { "npm:zod@4": "4.1.0" }, "npm": { "zod@4.1.0": entry(&old_zod()) } });
    let path = write(&world, &lock);
    let lines = lines(&world.packages(), &governed(&["npm:zod@^4.1.0"], &path)).await;
    assert_eq!(lines, [Line::new("npm:zod@^4.1.0", "unlocked")], "other versions are another requirement");
}

#[tokio::test]
async fn the_first_layout_has_addresses_and_locks_no_package() {
    let world = world();
    let path = write(&world, &json!({ "https://deno.land/std@0.100.0/a.ts": "00ff" }));
    let request = governed(&["npm:zod@4"], &path);
    assert_eq!(lines(&world.packages(), &request).await, [Line::new("npm:zod@4", "unlocked")]);
    let locks = crate::deno_lock::DenoLocks::default();
    let wanted = std::collections::BTreeSet::from(["https://deno.land/std@0.100.0/a.ts".to_owned()]);
    let part = locks.part(Some(&path), &wanted);
    assert!(part.lines().unwrap().iter().any(|line| line.value == "00ff"), "{part:?}");
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
    world.packages().prepare(&governed(&["npm:app"], &path), &Arc::default()).await.unwrap();
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
        (json!({ "version": "6" }).to_string(), Code::INVALID_DOCUMENT, "version \"6\", and this program knows 1 to 5"),
        (json!([]).to_string(), Code::INVALID_DOCUMENT, "version"),
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
        let fault = world.packages().prepare(&governed(&["npm:zod@4"], &path), &Arc::default()).await.unwrap_err();
        assert_eq!((fault.class, fault.code), (FailureClass::Environment, code), "{text}");
        assert!(fault.message.contains(detail) && fault.message.contains("deno.lock"), "{}", fault.message);
        // Who is not governed by it does not suffer.
        prepare(&world.packages(), &["npm:zod@4"]).await.unwrap();
    }
}

/// With packages of JSR, in the form of version 5 or of version 3.
fn mixed(is_nested: bool) -> Value {
    let target = |scheme: &str, name: &str, version: &str| {
        if is_nested { format!("{scheme}:{name}@{version}") } else { version.to_owned() }
    };
    let specifiers = json!({
        "npm:zod@4": target("npm", "zod", "4.1.0"), "npm:other@1": target("npm", "other", "1.0.0"),
        "jsr:@std/path@1": target("jsr", "@std/path", "1.0.8"), "jsr:@std/fs@*": target("jsr", "@std/fs", "2.0.0"),
        "jsr:@std/internal@^1": target("jsr", "@std/internal", "1.0.1") });
    let npm = json!({ "zod@4.1.0": { "integrity": INTEGRITY }, "other@1.0.0": { "integrity": INTEGRITY } });
    let jsr = json!({
        "@std/path@1.0.8": { "integrity": "p", "dependencies": ["jsr:@std/internal", "npm:zod@4"] },
        "@std/fs@2.0.0": { "integrity": "f", "dependencies": ["jsr:@std/path@1", "npm:other"] },
        "@std/internal@1.0.1": { "integrity": "i", "dependencies": ["jsr:@std/path@1"] } });
    let remote = json!({ "https://x/y.ts": "digest" });
    if is_nested {
        json!({ "version": "3", "packages": { "specifiers": specifiers, "npm": npm, "jsr": jsr }, "remote": remote })
    } else {
        json!({ "version": "5", "specifiers": specifiers, "npm": npm, "jsr": jsr, "remote": remote,
            "redirects": { "https://x/z.ts": "https://x/y.ts" } })
    }
}

const INTEGRITY: &str =
    "sha512-z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg/SpIdNs6c5H0NE8XYXysP+DGNKHfuwvY7kxvUdBeoGlODJ6+SfaPg==";

/// The part of what Deno builds, as text.
fn built_by_deno(lock: &Value, specifiers: &[&str]) -> String {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("deno.lock");
    std::fs::write(&path, lock.to_string()).unwrap();
    let part = DenoLocks::default().part(Some(&path), &request(specifiers).specifiers);
    let lines = part.lines().unwrap().into_iter().map(|line| format!("{}={}", line.key, line.value));
    lines.collect::<Vec<_>>().join(" ").replace(INTEGRITY, "I")
}

#[test]
fn what_deno_builds_counts_with_everything_that_it_reaches() {
    for is_nested in [false, true] {
        let lock = mixed(is_nested);
        assert_eq!(built_by_deno(&lock, &["npm:zod@4/v4", "node:fs"]), "zod@4.1.0=I");
        let path = "jsr:@std/internal@1.0.1=i jsr:@std/path@1.0.8=p jsr:@std/path@1=@std/path@1.0.8 zod@4.1.0=I";
        assert_eq!(sorted(&built_by_deno(&lock, &["jsr:@std/path@1/posix"])), sorted(path));
        let all = "jsr:@std/fs=@std/fs@2.0.0 jsr:@std/fs@2.0.0=f jsr:@std/internal@1.0.1=i jsr:@std/path@1.0.8=p \
                   other@1.0.0=I zod@4.1.0=I";
        assert_eq!(sorted(&built_by_deno(&lock, &["jsr:@std/fs"])), sorted(all), "a version may go without saying");
    }
}

fn sorted(lines: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = lines.split(' ').collect();
    lines.sort_unstable();
    lines
}

#[test]
fn fault_46_what_deno_builds_follows_what_it_reaches_and_nothing_else() {
    let wanted = &["jsr:@std/path@1"];
    let before = built_by_deno(&mixed(false), wanted);
    let mut moved = mixed(false);
    moved["npm"]["other@1.0.0"]["integrity"] = "sha512-AAAA".into();
    moved["jsr"]["@std/fs@2.0.0"]["integrity"] = "new".into();
    moved["remote"]["https://x/y.ts"] = "new".into();
    assert_eq!(built_by_deno(&moved, wanted), before);
    moved["jsr"]["@std/internal@1.0.1"]["integrity"] = "new".into();
    assert_ne!(built_by_deno(&moved, wanted), before);
}

#[test]
fn what_deno_builds_and_is_not_locked_says_so() {
    let told = built_by_deno(&mixed(false), &["jsr:@a/b@2", "https://x/z.ts", "npm:missing@1", "zod"]);
    let expected = "https://x/y.ts=digest https://x/z.ts=https://x/y.ts https://x/z.ts=remote jsr:@a/b@2=unlocked \
                    npm:missing@1=unlocked zod=unlocked";
    assert_eq!(sorted(&told), sorted(expected));
    let nothing = DenoLocks::default().part(None, &request(&["jsr:@a/b@2"]).specifiers);
    assert_eq!(nothing.lines().unwrap(), [Line::new("jsr:@a/b@2", "unlocked")]);
}

#[test]
fn fault_46_a_lock_that_only_deno_understands_counts_as_a_whole() {
    let newer = |version: &str| json!({ "version": "6", "specifiers": { "jsr:@a/b@2": version } });
    let told = built_by_deno(&newer("2.0.0"), &["jsr:@a/b@2"]);
    assert!(told.starts_with("deno.lock="), "{told}");
    assert_eq!(built_by_deno(&newer("2.0.0"), &["jsr:@a/b@2"]), told);
    assert_ne!(built_by_deno(&newer("2.0.1"), &["jsr:@a/b@2"]), told);
    assert_eq!(built_by_deno(&newer("2.0.0"), &["node:fs"]), "", "it is not asked");
}
