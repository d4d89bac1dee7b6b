use std::sync::Arc;

use mangrove_domain::{
    failure::{FailureClass, Fault},
    ports::{BundleStore as _, Packages as _},
    problem::Code,
};
use mangrove_testkit::registry::FakePackage;

use super::{World, prepare, request};
use crate::{NpmPackages, Options};

#[tokio::test]
async fn a_package_becomes_a_vendor_bundle() {
    let world = World::new();
    let prepared = prepare(&world.packages(), &["npm:zod@4", "node:fs", "npm:zod@4/v4"]).await.unwrap();
    let digest = prepared.vendors[0].key.digest();
    let imports: Vec<(&str, String)> = prepared
        .imports
        .iter()
        .map(|(specifier, path)| (specifier.as_str(), path.replace(&digest.to_string(), "D")))
        .collect();
    assert_eq!(
        imports,
        [
            ("node:fs", "node:fs".to_owned()),
            ("npm:zod@4", "../vendor/D/zod.js".to_owned()),
            ("npm:zod@4/v4", "../vendor/D/zod.v4.js".to_owned()),
        ]
    );
    assert_eq!(prepared.vendors.len(), 1);
    let build = world.vendor.last();
    assert_eq!(build.request.package, "zod@4.3.6");
    let entries: Vec<(&str, &str)> =
        build.request.entries.iter().map(|(specifier, file)| (specifier.as_str(), file.as_str())).collect();
    assert_eq!(entries, [("zod", "zod.js"), ("zod/v4", "zod.v4.js")]);
    assert!(build.files.contains_key("node_modules/zod/package.json"));
    assert!(build.files["node_modules/zod/index.js"].contains("string"));
    assert!(!build.request.directory.exists() || build.request.directory.starts_with(world.state()));
}

#[tokio::test]
async fn equal_needs_share_one_unit_whoever_comes_first() {
    let world = World::new();
    let packages = world.packages();
    let first = prepare(&packages, &["npm:zod@4"]).await.unwrap();
    let second = prepare(&packages, &["npm:zod@4.3.6"]).await.unwrap();
    assert_eq!(first.vendors, second.vendors);
    assert_eq!(world.vendor.count(), 1);
    // Two spellings in one graph are one copy.
    let both = prepare(&packages, &["npm:zod@4", "npm:zod@^4.0.0"]).await.unwrap();
    assert_eq!(both.vendors, first.vendors);
    assert_eq!(both.imports["npm:zod@4"], both.imports["npm:zod@^4.0.0"]);
    assert_eq!(world.vendor.count(), 1);

    let other = World::new();
    other.registry.publish(
        FakePackage::new("zod", "4.3.6")
            .file("index.js", "export const z = { string() {} };")
            .file("v4/index.js", "export const z4 = 1;"),
    );
    let packages = other.packages();
    let reverse = prepare(&packages, &["npm:zod@4.3.6"]).await.unwrap();
    assert_eq!(reverse.vendors, first.vendors);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fifty_at_once_are_one_request_and_one_build() {
    let world = World::new();
    let packages = Arc::new(world.packages());
    let tasks: Vec<_> = (0..50)
        .map(|_| {
            let packages = Arc::clone(&packages);
            tokio::spawn(async move { packages.prepare(&request(&["npm:zod@4"]), &Arc::default()).await })
        })
        .collect();
    let mut outcomes = Vec::new();
    for task in tasks {
        outcomes.push(task.await.unwrap().unwrap());
    }
    assert!(outcomes.iter().all(|outcome| *outcome == outcomes[0]));
    assert_eq!(world.registry.count("/zod"), 1);
    assert_eq!(world.registry.count("/zod/-/zod-4.3.6.tgz"), 1);
    assert_eq!(world.vendor.count(), 1);
}

#[tokio::test]
async fn a_deleted_vendor_bundle_is_built_again() {
    let world = World::new();
    let first = prepare(&world.packages(), &["npm:zod@4"]).await.unwrap();
    world.registry.go_down();
    prepare(&world.packages(), &["npm:zod@4"]).await.unwrap();
    assert_eq!(world.vendor.count(), 1);
    world.store.remove(first.vendors[0].key).await.unwrap();
    let again = prepare(&world.packages(), &["npm:zod@4"]).await.unwrap();
    assert_eq!(again, first);
    assert_eq!(world.vendor.count(), 2);
}

#[tokio::test]
async fn another_bundler_builds_again() {
    let world = World::new();
    prepare(&world.packages(), &["npm:zod@4"]).await.unwrap();
    let packages = NpmPackages::new(Options { vendor_identity: "fake 2".to_owned(), ..world.options() });
    prepare(&packages, &["npm:zod@4"]).await.unwrap();
    assert_eq!(world.vendor.count(), 2);
}

#[tokio::test]
async fn a_failed_vendor_build_is_no_answer() {
    let world = World::new();
    let packages = world.packages();
    let fault = Fault::deterministic(Code::BUNDLE_FAILED, "package:zod", "no");
    *world.vendor.fault.lock().unwrap() = Some(fault.clone());
    assert_eq!(prepare(&packages, &["npm:zod@4"]).await.unwrap_err(), fault);
    *world.vendor.fault.lock().unwrap() = None;
    prepare(&packages, &["npm:zod@4"]).await.unwrap();
    assert_eq!(world.registry.count("/zod/-/zod-4.3.6.tgz"), 1, "the archive was kept");
}

#[tokio::test]
async fn a_request_that_goes_away_does_not_take_the_attempt_with_it() {
    let world = World::new();
    let packages = Arc::new(world.packages());
    {
        let asked = request(&["npm:zod@4"]);
        let outages = Arc::default();
        let first = packages.prepare(&asked, &outages);
        futures::pin_mut!(first);
        // Polled once, so that the attempt has begun; then dropped.
        assert!(futures::poll!(first).is_pending());
    }
    prepare(&packages, &["npm:zod@4"]).await.unwrap();
    assert_eq!(world.registry.count("/zod"), 1);
    assert_eq!(world.registry.count("/zod/-/zod-4.3.6.tgz"), 1);
}

#[tokio::test]
async fn unsupported_specifiers_say_what_helps() {
    let world = World::new();
    for (specifier, help) in
        [("jsr:@std/path", "Deno"), ("https://example.org/x.ts", "repository"), ("bun:ffi", "node:")]
    {
        let fault = prepare(&world.packages(), &[specifier]).await.unwrap_err();
        assert_eq!((fault.class, fault.code), (FailureClass::Environment, Code::UNSUPPORTED_SPECIFIER));
        assert!(fault.message.contains(specifier) && fault.message.contains(help), "{}", fault.message);
    }
    for (specifier, code, help) in [
        ("lodash", Code::UNMAPPED_IMPORT, r#""lodash": "npm:lodash@VERSION""#),
        ("@acme/tools/deep", Code::UNMAPPED_IMPORT, r#""@acme/tools": "npm:@acme/tools@VERSION""#),
        ("package.json:tools@workspace:*", Code::UNSUPPORTED_SPECIFIER, r#""tools" as "workspace:*""#),
        ("package.json:@acme/tools@catalog:", Code::UNSUPPORTED_SPECIFIER, r#""@acme/tools" as "catalog:""#),
    ] {
        let fault = prepare(&world.packages(), &[specifier]).await.unwrap_err();
        assert_eq!((fault.class, fault.code), (FailureClass::Deterministic, code));
        assert!(fault.message.contains(help), "{}", fault.message);
    }
    let fault = prepare(&world.packages(), &["npm:../x"]).await.unwrap_err();
    assert_eq!((fault.class, fault.code), (FailureClass::Deterministic, Code::MALFORMED_SPECIFIER));
    assert!(world.registry.requests().is_empty());
}

#[tokio::test]
async fn scratch_directories_of_the_dead_are_swept() {
    let world = World::new();
    let old = world.state().join("npm/scratch/unit-dead");
    let recent = world.state().join("npm/scratch/unit-alive");
    for directory in [&old, &recent] {
        std::fs::create_dir_all(directory).unwrap();
    }
    let long_ago = std::time::SystemTime::now() - std::time::Duration::from_hours(48);
    std::fs::File::open(&old).unwrap().set_modified(long_ago).unwrap();
    prepare(&world.packages(), &["npm:zod@4"]).await.unwrap();
    assert!(!old.exists() && recent.exists());
}
