use mangrove_domain::{failure::FailureClass, problem::Code};
use mangrove_testkit::registry::{FakePackage, Misbehaviour};
use serde_json::json;

use super::{World, prepare};

fn package(name: &str, version: &str) -> FakePackage {
    FakePackage::new(name, version).file("index.js", &format!("// {name}@{version}"))
}

/// What lay where when the last unit was built.
fn layout(world: &World) -> Vec<String> {
    let files = world.vendor.last().files;
    let entries = files.iter().filter(|(path, _)| path.ends_with("/index.js"));
    entries.map(|(path, text)| format!("{} {text}", path.trim_end_matches("/index.js"))).collect()
}

#[tokio::test]
async fn dependencies_are_laid_out_as_modules() {
    let world = World::new();
    let registry = &world.registry;
    registry.publish(package("app", "1.0.0").dependency("a", "^1.0.0").dependency("b", "^2.0.0"));
    registry.publish(package("a", "1.0.0").dependency("b", "^1.0.0").dependency("@s/c", "*"));
    registry.publish(package("a", "1.2.0").dependency("b", "^1.0.0").dependency("@s/c", "*"));
    registry.publish(package("b", "1.5.0"));
    registry.publish(package("b", "2.0.1"));
    registry.publish(package("@s/c", "3.0.0").dependency("b", "1.x || 2.x").dependency("a", "1"));
    prepare(&world.packages(), &["npm:app@1"]).await.unwrap();
    assert_eq!(
        layout(&world),
        [
            "node_modules/@s/c // @s/c@3.0.0",
            "node_modules/a // a@1.2.0",
            "node_modules/a/node_modules/b // b@1.5.0",
            "node_modules/app // app@1.0.0",
            "node_modules/b // b@2.0.1",
        ]
    );
    assert_eq!(registry.requests().iter().filter(|request| !request.path.contains("/-/")).count(), 4);
    // From the lock, offline, the same.
    world.store.vendors.lock().unwrap().clear();
    prepare(&world.offline(), &["npm:app@1"]).await.unwrap();
    assert_eq!(layout(&world).len(), 5);
    let builds = world.vendor.builds.lock().unwrap();
    assert_eq!((builds.len(), &builds[0].files), (2, &builds[1].files));
}

#[tokio::test]
async fn cycles_aliases_and_own_names_end() {
    let world = World::new();
    world.registry.publish(package("app", "1.0.0").dependency("a", "1").dependency("old", "npm:app@0.9.0"));
    world.registry.publish(package("app", "0.9.0"));
    world.registry.publish(package("a", "1.0.0").dependency("app", "1").dependency("a2", "npm:a@1"));
    prepare(&world.packages(), &["npm:app@1"]).await.unwrap();
    assert_eq!(
        layout(&world),
        [
            "node_modules/a // a@1.0.0",
            "node_modules/a2 // a@1.0.0",
            "node_modules/app // app@1.0.0",
            "node_modules/old // app@0.9.0",
        ]
    );
}

#[tokio::test]
async fn peers_come_from_around_and_optional_ones_not_at_all() {
    let world = World::new();
    world.registry.publish(package("app", "1.0.0").dependency("plugin", "1").dependency("host", "^1"));
    world
        .registry
        .publish(package("plugin", "1.0.0").peer("host", "^2").peer("lonely", "1").optional_peer("absent", "1"));
    world.registry.publish(package("host", "1.0.0"));
    world.registry.publish(package("lonely", "1.0.0"));
    prepare(&world.packages(), &["npm:app@1"]).await.unwrap();
    assert_eq!(
        layout(&world),
        [
            "node_modules/app // app@1.0.0",
            "node_modules/host // host@1.0.0",
            "node_modules/lonely // lonely@1.0.0",
            "node_modules/plugin // plugin@1.0.0",
        ]
    );
}

#[tokio::test]
async fn optional_packages_may_be_missing_but_not_broken() {
    let world = World::new();
    world.registry.publish(
        package("app", "1.0.0")
            .optional("native", "1")
            .optional("gone", "1")
            .optional("wanted", "1")
            .optional("git", "github:x/y"),
    );
    world.registry.publish(package("native", "1.0.0").metadata("os", json!(["linux"])));
    world.registry.publish(package("wanted", "1.0.0"));
    world.registry.misbehave(Some("/wanted"), Misbehaviour::Status(500), Some(3));
    let packages = world.packages();
    // A passing failure must not decide what a lock holds.
    let fault = prepare(&packages, &["npm:app@1"]).await.unwrap_err();
    assert_eq!((fault.class, fault.code), (FailureClass::Transient, Code::REGISTRY_FAILED));
    assert!(fault.message.contains("needed by app@1.0.0"), "{}", fault.message);
    prepare(&packages, &["npm:app@1"]).await.unwrap();
    assert_eq!(layout(&world), ["node_modules/app // app@1.0.0", "node_modules/wanted // wanted@1.0.0"]);
}

#[tokio::test]
async fn dependencies_that_no_registry_serves_are_named() {
    for range in
        ["git+https://example.org/x.git", "github:a/b", "file:../x", "https://example.org/x.tgz", "workspace:*"]
    {
        let world = World::new();
        world.registry.publish(package("app", "1.0.0").dependency("strange", range));
        let fault = prepare(&world.packages(), &["npm:app@1"]).await.unwrap_err();
        assert_eq!((fault.class, fault.code), (FailureClass::Environment, Code::PACKAGE_UNSUPPORTED), "{range}");
        assert!(fault.message.contains("strange") && fault.message.contains(range), "{}", fault.message);
    }
}

#[tokio::test]
async fn hostile_names_in_metadata_reach_no_path() {
    let world = World::new();
    world.registry.publish(package("app", "1.0.0").dependency("../../evil", "1"));
    let fault = prepare(&world.packages(), &["npm:app@1"]).await.unwrap_err();
    assert_eq!(fault.code, Code::PACKAGE_UNSUPPORTED);
    world.registry.publish(package("app", "2.0.0").dependency("x", "npm:../../evil@1"));
    let fault = prepare(&world.packages(), &["npm:app@2.0.0"]).await.unwrap_err();
    assert_eq!(fault.code, Code::PACKAGE_UNSUPPORTED);
}

#[tokio::test]
async fn versions_are_chosen_as_npm_does() {
    let world = World::new();
    let registry = &world.registry;
    for version in ["1.0.0", "1.1.0", "2.0.0-rc.1", "2.0.0", "2.1.0", "3.0.0-beta.1"] {
        registry.publish(package("p", version));
    }
    registry.publish(package("p", "1.2.0").metadata("deprecated", json!("broken")));
    registry.tag("p", "latest", "2.0.0");
    registry.tag("p", "next", "3.0.0-beta.1");
    for (range, version) in [
        ("", "2.0.0"),
        ("@*", "2.0.0"),
        ("@latest", "2.0.0"),
        ("@^2.0.0", "2.0.0"),
        ("@>2.0.0", "2.1.0"),
        ("@1", "1.1.0"),
        ("@1.2.0", "1.2.0"),
        ("@next", "3.0.0-beta.1"),
        ("@~1.0", "1.0.0"),
        ("@2.0.0-rc.1", "2.0.0-rc.1"),
        ("@1.0.0 - 1.1.0", "1.1.0"),
        ("@v1.0.0", "1.0.0"),
        ("@=1.1.0", "1.1.0"),
        ("@1.x || 7", "1.1.0"),
    ] {
        let specifier = format!("npm:p{range}");
        let prepared = prepare(&world.packages(), &[&specifier]).await.unwrap();
        assert_eq!(prepared.packages.lines().unwrap()[0].key, format!("p@{version}"), "{specifier}");
    }
}
