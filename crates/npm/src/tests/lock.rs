use std::sync::Arc;

use mangrove_domain::{failure::FailureClass, fingerprint::Line, ports::Packages as _, problem::Code};
use mangrove_testkit::registry::{FakePackage, Misbehaviour, integrity};

use super::{World, closure, prepare, request, zod};
use crate::{NpmPackages, Options};

#[tokio::test]
async fn the_closure_asks_nobody_and_changes_with_the_lock() {
    let world = World::new();
    let packages = world.packages();
    let specifiers = ["npm:zod@4", "node:fs", "jsr:@std/path", "npm:zod@4/v4"];
    let before = closure(&packages, &specifiers).await;
    assert_eq!(before, [Line::new("jsr:@std/path", "unsupported"), Line::new("npm:zod@4", "unlocked")]);
    assert!(world.registry.requests().is_empty());

    let prepared = prepare(&packages, &["npm:zod@4", "npm:zod@4/v4", "node:fs"]).await.unwrap();
    let after = closure(&packages, &["npm:zod@4", "npm:zod@4/v4", "node:fs"]).await;
    assert_eq!(after, [Line::new("zod@4.3.6", integrity(&zod().archive()))]);
    assert_eq!(prepared.packages.lines().unwrap(), after);
}

#[tokio::test]
async fn a_range_resolves_the_same_way_tomorrow() {
    let world = World::new();
    prepare(&world.packages(), &["npm:zod@4"]).await.unwrap();
    world.registry.publish(FakePackage::new("zod", "4.9.0").file("index.js", ""));
    world.registry.forget_requests();
    let tomorrow = prepare(&world.packages(), &["npm:zod@4"]).await.unwrap();
    assert_eq!(tomorrow.packages.lines().unwrap()[0].key, "zod@4.3.6");
    assert!(world.registry.requests().is_empty());
    // Another requirement is another question.
    let other = prepare(&world.packages(), &["npm:zod@^4.1"]).await.unwrap();
    assert_eq!(other.packages.lines().unwrap()[0].key, "zod@4.9.0");
}

#[tokio::test]
async fn the_file_is_sorted_and_complete() {
    let world = World::new();
    world.registry.publish(FakePackage::new("app", "1.0.0").dependency("zod", "^4.0.0").file("index.js", ""));
    let packages = world.packages();
    prepare(&packages, &["npm:zod@4"]).await.unwrap();
    prepare(&packages, &["npm:app"]).await.unwrap();
    let (app, zod) = (closure(&packages, &["npm:app"]).await[0].value.clone(), integrity(&zod().archive()));
    let expected = format!(
        r#"{{
  "version": 1,
  "specifiers": {{
    "npm:app": {{
      "package": "app@1.0.0",
      "tree": {{
        "node_modules/zod": "zod@4.3.6"
      }}
    }},
    "npm:zod@4": {{
      "package": "zod@4.3.6"
    }}
  }},
  "packages": {{
    "app@1.0.0": {{
      "integrity": "{app}"
    }},
    "zod@4.3.6": {{
      "integrity": "{zod}"
    }}
  }}
}}
"#
    );
    assert_eq!(world.lock_text(), expected);
}

#[tokio::test]
async fn a_committed_lock_comes_first_and_is_not_written() {
    let world = World::new();
    prepare(&world.packages(), &["npm:zod@4"]).await.unwrap();
    let committed = world.directory.path().join("mangrove.lock");
    std::fs::rename(world.state().join("npm.lock"), &committed).unwrap();
    let text = std::fs::read_to_string(&committed).unwrap();
    world.registry.publish(FakePackage::new("zod", "4.9.0").file("index.js", ""));

    let packages = NpmPackages::new(Options { is_locked: true, ..world.options() });
    let prepared = prepare(&packages, &["npm:zod@4"]).await.unwrap();
    assert_eq!(prepared.packages.lines().unwrap()[0].key, "zod@4.3.6");
    let fault = prepare(&packages, &["npm:zod@^4.1"]).await.unwrap_err();
    assert_eq!((fault.class, fault.code), (FailureClass::Environment, Code::LOCK_OUTDATED));
    assert_eq!(std::fs::read_to_string(&committed).unwrap(), text);
    assert!(!world.state().join("npm.lock").exists());
}

#[tokio::test]
async fn a_damaged_lock_is_reported_and_left_alone() {
    let key = r#""specifiers": {"npm:zod@4": {"package": "zod@4.3.6""#;
    let cases = [
        ("{\"version\": 1,\n  oops".to_owned(), Code::MALFORMED_DOCUMENT, "line 2"),
        (String::new(), Code::MALFORMED_DOCUMENT, "line 1"),
        (format!("{{\"version\": 1, {key}}}}}}}"), Code::INVALID_DOCUMENT, "no integrity"),
        (format!("{{\"version\": 9, {key}}}}}}}"), Code::INVALID_DOCUMENT, "version 9"),
        (
            r#"{"version": 1, "specifiers": {"npm:zod@4": {"package": "../../x@1.0.0"}}}"#.to_owned(),
            Code::INVALID_DOCUMENT,
            "../../x",
        ),
        (
            r#"{"version": 1, "specifiers": {"npm:a@1": {"package": "a@1.0.0", "tree": {"../x": "b@1.0.0"}}}}"#
                .to_owned(),
            Code::INVALID_DOCUMENT,
            "../x",
        ),
    ];
    for (text, code, detail) in cases {
        let world = World::new();
        let path = world.state().join("npm.lock");
        std::fs::create_dir_all(world.state()).unwrap();
        std::fs::write(&path, &text).unwrap();
        let packages = world.packages();
        let fault = packages.closure(&request(&["npm:zod@4"])).await.unwrap_err();
        assert_eq!((fault.class, fault.code), (FailureClass::Environment, code), "{text}");
        assert!(fault.message.contains(detail) && fault.message.contains("npm.lock"), "{}", fault.message);
        let fault = prepare(&packages, &["npm:zod@4"]).await.unwrap_err();
        assert_eq!(fault.code, code);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        // Corrected by hand, it works without a restart.
        std::fs::remove_file(&path).unwrap();
        prepare(&packages, &["npm:zod@4"]).await.unwrap();
    }
}

#[tokio::test]
async fn other_bytes_under_a_locked_version_are_a_conflict() {
    let world = World::new();
    prepare(&world.packages(), &["npm:zod@4"]).await.unwrap();
    world.registry.publish(FakePackage::new("zod", "4.3.6").file("index.js", "export default 'stolen';"));
    let fault = prepare(&world.packages(), &["npm:zod@4.3"]).await.unwrap_err();
    assert_eq!((fault.class, fault.code), (FailureClass::Environment, Code::INTEGRITY_MISMATCH));
    assert!(!world.lock_text().contains("npm:zod@4.3\""));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn simultaneous_writers_lose_nothing() {
    let world = World::new();
    let names: Vec<String> = (0..12).map(|number| format!("package-{number}")).collect();
    for name in &names {
        world.registry.publish(FakePackage::new(name, "1.0.0").file("index.js", name));
    }
    let world = Arc::new(world);
    // Each has its own state of mind, as processes have.
    let tasks: Vec<_> = names
        .iter()
        .map(|name| {
            let packages = world.packages();
            let specifier = format!("npm:{name}@1");
            tokio::spawn(async move { packages.prepare(&request(&[&specifier]), &Arc::default()).await })
        })
        .collect();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    let text = world.lock_text();
    assert!(names.iter().all(|name| text.contains(&format!("\"npm:{name}@1\""))), "{text}");
}

#[tokio::test]
async fn fault_39_a_guard_left_behind_blocks_nobody() {
    let world = World::new();
    std::fs::create_dir_all(world.state().join("npm")).unwrap();
    std::fs::write(world.state().join("npm/lock.guard"), "pid 1").unwrap();
    prepare(&world.packages(), &["npm:zod@4"]).await.unwrap();
}

#[tokio::test]
async fn fault_46_the_lock_changes_the_packages_part() {
    let world = World::new();
    let packages = world.packages();
    let unlocked = packages.closure(&request(&["npm:zod@4"])).await.unwrap();
    prepare(&packages, &["npm:zod@4"]).await.unwrap();
    let first = packages.closure(&request(&["npm:zod@4"])).await.unwrap();
    world.registry.publish(FakePackage::new("zod", "4.9.0").file("index.js", ""));
    std::fs::remove_file(world.state().join("npm.lock")).unwrap();
    // Past the time that metadata stays fresh in one process.
    let packages = world.packages();
    prepare(&packages, &["npm:zod@4"]).await.unwrap();
    let second = packages.closure(&request(&["npm:zod@4"])).await.unwrap();
    let digests = [unlocked.digest(), first.digest(), second.digest()];
    assert!(digests[0] != digests[1] && digests[1] != digests[2] && digests[0] != digests[2]);
    assert_eq!(first.changes(&second).len(), 2, "{:?}", first.changes(&second));
}

#[tokio::test]
async fn nothing_is_locked_that_cannot_be_had() {
    let world = World::new();
    world.registry.misbehave(Some("/zod/-/zod-4.3.6.tgz"), Misbehaviour::Status(404), None);
    prepare(&world.packages(), &["npm:zod@4"]).await.unwrap_err();
    assert!(!world.state().join("npm.lock").exists());
}

#[tokio::test]
async fn an_update_sets_a_damaged_lock_aside_and_no_other() {
    for damage in ["", "{", "[]", r#"{"version":1,"specifiers":{"x":{"package":"zod@4.3.6"}}}"#] {
        let world = World::new();
        prepare(&world.packages(), &["npm:zod@4"]).await.unwrap();
        let good = world.lock_text();
        std::fs::write(world.state().join("npm.lock"), damage).unwrap();
        let fault = prepare(&world.packages(), &["npm:zod@4"]).await.unwrap_err();
        assert!(fault.message.contains("npm.lock"), "{fault}");
        let packages = world.packages();
        let update = packages.update(&[], false).await.unwrap();
        let aside = world.state().join("npm.lock.damaged");
        assert_eq!(update.set_aside.as_ref(), Some(&aside));
        assert_eq!(std::fs::read_to_string(&aside).unwrap(), damage);
        prepare(&packages, &["npm:zod@4"]).await.unwrap();
        assert_eq!(world.lock_text(), good);
        assert_eq!(packages.update(&[], false).await.unwrap().set_aside, None);
    }
    let world = World::new();
    std::fs::create_dir_all(world.state()).unwrap();
    std::fs::write(world.state().join("npm.lock"), r#"{"version":9}"#).unwrap();
    world.packages().update(&[], false).await.unwrap_err();
    assert_eq!(world.lock_text(), r#"{"version":9}"#, "what a newer version wrote stays");
}

#[tokio::test]
async fn a_damaged_committed_lock_is_set_aside_by_who_writes_it() {
    for damage in ["", "{", r#"{"version":1,"specifiers":{"x":{"package":"zod@4.3.6"}}}"#] {
        let world = World::new();
        prepare(&world.packages(), &["npm:zod@4"]).await.unwrap();
        let committed = world.directory.path().join("mangrove.lock");
        std::fs::write(&committed, damage).unwrap();
        let fault = prepare(&world.packages(), &["npm:zod@4"]).await.unwrap_err();
        assert_eq!(&*fault.cause.0, "lock:mangrove.lock");
        // Nobody else writes over it.
        world.packages().update(&[], false).await.unwrap_err();
        assert_eq!(std::fs::read_to_string(&committed).unwrap(), damage);
        let packages = world.packages();
        let update = packages.update(&[], true).await.unwrap();
        let aside = world.directory.path().join("mangrove.lock.damaged");
        assert_eq!(update.set_aside.as_ref(), Some(&aside));
        assert_eq!(std::fs::read_to_string(&aside).unwrap(), damage);
        prepare(&packages, &["npm:zod@4"]).await.unwrap();
        assert!(std::fs::read_to_string(&committed).unwrap().contains("zod@4.3.6"));
    }
}
