use mangrove_domain::{failure::FailureClass, problem::Code};
use mangrove_testkit::registry::FakePackage;

use super::{World, prepare, zod};

#[tokio::test]
async fn a_warm_cache_asks_for_nothing() {
    let world = World::new();
    let warm = prepare(&world.packages(), &["npm:zod@4"]).await.unwrap();
    world.registry.forget_requests();
    let offline = prepare(&world.offline(), &["npm:zod@4"]).await.unwrap();
    assert_eq!(offline, warm);
    // Even where the vendor bundle is gone and has to be built again from the cached archive.
    world.store.vendors.lock().unwrap().clear();
    let rebuilt = prepare(&world.offline(), &["npm:zod@4"]).await.unwrap();
    assert_eq!(rebuilt, warm);
    assert!(world.registry.requests().is_empty());
}

#[tokio::test]
async fn a_cold_cache_says_so_and_asks_for_nothing() {
    let world = World::new();
    let packages = world.offline();
    let fault = prepare(&packages, &["npm:zod@4"]).await.unwrap_err();
    assert_eq!((fault.class, fault.code), (FailureClass::Environment, Code::OFFLINE));
    assert!(fault.message.contains("zod"), "{}", fault.message);
    assert!(world.registry.requests().is_empty());
    // Warmed by somebody else, it works without a restart.
    prepare(&world.packages(), &["npm:zod@4"]).await.unwrap();
    world.registry.forget_requests();
    prepare(&packages, &["npm:zod@4"]).await.unwrap();
    assert!(world.registry.requests().is_empty());
}

#[tokio::test]
async fn offline_a_new_range_takes_the_best_cached_version() {
    let world = World::new();
    prepare(&world.packages(), &["npm:zod@4.3.6"]).await.unwrap();
    // Known from the metadata, but never fetched.
    world.registry.publish(FakePackage::new("zod", "4.9.0").file("index.js", ""));
    prepare(&world.packages(), &["npm:zod@4.3"]).await.unwrap();
    let prepared = prepare(&world.offline(), &["npm:zod@^4.0.0"]).await.unwrap();
    assert_eq!(prepared.packages.lines().unwrap()[0].key, "zod@4.3.6");
}

#[tokio::test]
async fn a_damaged_archive_is_fetched_again() {
    let world = World::new();
    prepare(&world.packages(), &["npm:zod@4"]).await.unwrap();
    let name = world.cached_files().into_iter().find(|name| name.ends_with("package.tgz")).unwrap();
    let path = world.state().join("npm").join(name.replace("REGISTRY", &world.registry.origin().replace(':', "+")));
    for damage in [&b""[..], b"damaged", &zod().archive()[..50]] {
        std::fs::write(&path, damage).unwrap();
        world.store.vendors.lock().unwrap().clear();
        let fault = prepare(&world.offline(), &["npm:zod@4"]).await.unwrap_err();
        assert_eq!(fault.code, Code::OFFLINE);
        prepare(&world.packages(), &["npm:zod@4"]).await.unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), zod().archive());
    }
}

#[tokio::test]
async fn unchanged_metadata_is_not_sent_again() {
    let world = World::new();
    prepare(&world.packages(), &["npm:zod@4"]).await.unwrap();
    prepare(&world.packages(), &["npm:zod@4.3"]).await.unwrap();
    let statuses: Vec<u16> = world
        .registry
        .requests()
        .iter()
        .filter(|request| request.path == "/zod")
        .map(|request| request.status)
        .collect();
    assert_eq!(statuses, [200, 304]);
}

#[tokio::test]
async fn the_cache_holds_what_the_design_says() {
    let world = World::new();
    world.registry.publish(FakePackage::new("@acme/tools", "1.0.0").file("index.js", ""));
    prepare(&world.packages(), &["npm:zod@4", "npm:@acme/tools@1"]).await.unwrap();
    let files = world.cached_files();
    let (units, rest): (Vec<String>, Vec<String>) = files.into_iter().partition(|name| name.starts_with("units/"));
    assert_eq!(units.len(), 2);
    let rest: Vec<String> = rest.into_iter().filter(|name| !name.starts_with("scratch/")).collect();
    assert_eq!(
        rest,
        [
            "registries/REGISTRY/@acme/tools/1.0.0/package.tgz",
            "registries/REGISTRY/@acme/tools/packument",
            "registries/REGISTRY/zod/4.3.6/package.tgz",
            "registries/REGISTRY/zod/packument",
        ]
    );
}
