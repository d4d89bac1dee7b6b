//! The fault matrix: every way in which a registry fails, for metadata and for archives.

use std::{
    collections::BTreeMap,
    io::{Read as _, Write as _},
    sync::Arc,
    time::Duration,
};

use mangrove_domain::{failure::FailureClass, ports::Packages as _, problem::Code};
use mangrove_testkit::registry::{FakePackage, FakeRegistry, Misbehaviour};

use super::{World, prepare, request};
use crate::{NpmPackages, Options, registry::Limits};

const METADATA: &str = "/zod";
const ARCHIVE: &str = "/zod/-/zod-4.3.6.tgz";

/// What comes of a misbehaviour that lasts, and how often the registry is asked per attempt.
struct Case {
    path: &'static str,
    misbehaviour: Misbehaviour,
    class: FailureClass,
    code: Code,
    tries: usize,
}

fn matrix() -> Vec<Case> {
    use FailureClass::{Environment, Transient};
    let mut cases = Vec::new();
    for path in [METADATA, ARCHIVE] {
        let mut add = |misbehaviour, class, code, tries| cases.push(Case { path, misbehaviour, class, code, tries });
        for status in [408, 425, 429, 500, 502, 503, 504] {
            add(Misbehaviour::Status(status), Transient, Code::REGISTRY_FAILED, 3);
        }
        for status in [401, 403, 407] {
            add(Misbehaviour::Status(status), Environment, Code::REGISTRY_REFUSED, 1);
        }
        for status in [404, 410] {
            add(Misbehaviour::Status(status), Environment, Code::PACKAGE_NOT_FOUND, 1);
        }
        add(Misbehaviour::Status(418), Environment, Code::REGISTRY_FAILED, 1);
        add(Misbehaviour::BreakOff(0), Transient, Code::REGISTRY_UNREACHABLE, 3);
        add(Misbehaviour::BreakOff(40), Transient, Code::REGISTRY_UNREACHABLE, 3);
        add(Misbehaviour::BreakOff(usize::MAX), Transient, Code::REGISTRY_UNREACHABLE, 3);
    }
    let mut add = |path, misbehaviour, code, tries| {
        cases.push(Case { path, misbehaviour, class: Transient, code, tries });
    };
    add(METADATA, Misbehaviour::Garbage, Code::REGISTRY_FAILED, 3);
    add(METADATA, Misbehaviour::CutShort(40), Code::REGISTRY_FAILED, 3);
    add(METADATA, Misbehaviour::CutShort(0), Code::REGISTRY_FAILED, 3);
    add(METADATA, Misbehaviour::WrongIntegrity, Code::INTEGRITY_MISMATCH, 1);
    add(ARCHIVE, Misbehaviour::Garbage, Code::INTEGRITY_MISMATCH, 1);
    add(ARCHIVE, Misbehaviour::CutShort(40), Code::INTEGRITY_MISMATCH, 1);
    add(ARCHIVE, Misbehaviour::CutShort(0), Code::INTEGRITY_MISMATCH, 1);
    add(ARCHIVE, Misbehaviour::WrongIntegrity, Code::INTEGRITY_MISMATCH, 1);
    cases
}

#[tokio::test]
async fn every_fault_has_its_class_and_heals() {
    for case in matrix() {
        let label = format!("{} {:?}", case.path, case.misbehaviour);
        let world = World::new();
        let packages = world.packages();
        world.registry.misbehave(Some(case.path), case.misbehaviour.clone(), None);
        let fault = prepare(&packages, &["npm:zod@4"]).await.expect_err(&label);
        assert_eq!((fault.class, fault.code), (case.class, case.code), "{label}: {}", fault.message);
        assert_eq!(world.registry.count(case.path), case.tries, "{label}");
        let cause = match case.code {
            Code::REGISTRY_FAILED | Code::REGISTRY_UNREACHABLE | Code::REGISTRY_REFUSED => {
                format!("registry:{}", world.registry.origin())
            }
            _ if case.path == METADATA && case.code == Code::PACKAGE_NOT_FOUND => "package:zod".to_owned(),
            _ => "package:zod@4.3.6".to_owned(),
        };
        assert_eq!(&*fault.cause.0, cause, "{label}");
        assert!(fault.message.contains("zod") && fault.message.contains(&world.registry.origin()), "{}", fault.message);
        assert_nothing_half_written(&world, &label);
        assert_eq!(world.vendor.count(), 0, "{label}");

        world.registry.heal().unwrap();
        prepare(&packages, &["npm:zod@4"]).await.unwrap_or_else(|fault| panic!("{label} does not heal: {fault}"));
    }
}

fn assert_nothing_half_written(world: &World, label: &str) {
    assert!(!world.state().join("npm.lock").exists(), "{label}");
    for name in world.cached_files() {
        assert!(name.ends_with("/packument"), "{label}: {name}");
    }
}

/// The same for a registry that keeps silent or hangs up: there the kind of answer does not matter.
#[tokio::test]
async fn fault_36_silence_ends_at_the_time_limit() {
    for (path, misbehaviour) in [
        (METADATA, Misbehaviour::Stall),
        (METADATA, Misbehaviour::StallInBody),
        (ARCHIVE, Misbehaviour::Stall),
        (ARCHIVE, Misbehaviour::StallInBody),
    ] {
        let label = format!("{path} {misbehaviour:?}");
        let world = World::new();
        let packages = world.impatient();
        world.registry.misbehave(Some(path), misbehaviour, None);
        let fault = prepare(&packages, &["npm:zod@4"]).await.expect_err(&label);
        assert_eq!((fault.class, fault.code), (FailureClass::Transient, Code::REGISTRY_UNREACHABLE), "{label}");
        assert!(fault.message.contains("150ms"), "{}", fault.message);
        assert_nothing_half_written(&world, &label);
        world.registry.heal().unwrap();
        prepare(&world.packages(), &["npm:zod@4"]).await.unwrap();
    }
}

#[tokio::test]
async fn fault_44_a_time_out_on_first_use_poisons_nothing() {
    let world = World::new();
    let packages = world.impatient();
    world.registry.misbehave(Some(METADATA), Misbehaviour::Stall, Some(1));
    let fault = prepare(&packages, &["npm:zod@4"]).await.unwrap_err();
    assert_eq!(fault.class, FailureClass::Transient);
    // The same process, the same package, at once.
    prepare(&packages, &["npm:zod@4"]).await.unwrap();
}

#[tokio::test]
async fn a_registry_that_is_down_is_asked_once_and_comes_back() {
    let world = World::new();
    let packages = world.packages();
    world.registry.go_down();
    let fault = prepare(&packages, &["npm:zod@4"]).await.unwrap_err();
    assert_eq!((fault.class, fault.code), (FailureClass::Transient, Code::REGISTRY_UNREACHABLE));
    assert_eq!(&*fault.cause.0, format!("registry:{}", world.registry.origin()));
    assert!(world.pauses.pauses.lock().unwrap().is_empty());
    assert!(world.cached_files().is_empty());
    world.registry.come_up().unwrap();
    prepare(&packages, &["npm:zod@4"]).await.unwrap();
}

#[tokio::test]
async fn a_registry_that_hangs_up_cannot_be_reached() {
    let world = World::new();
    let packages = world.packages();
    world.registry.misbehave(None, Misbehaviour::HangUp, None);
    let fault = prepare(&packages, &["npm:zod@4"]).await.unwrap_err();
    assert_eq!((fault.class, fault.code), (FailureClass::Transient, Code::REGISTRY_UNREACHABLE));
    world.registry.heal().unwrap();
    prepare(&packages, &["npm:zod@4"]).await.unwrap();
}

#[tokio::test]
async fn a_host_that_does_not_exist_is_transient() {
    let world = World::new();
    let mut options = world.options();
    options.environment.insert("MANGROVE_NPM_REGISTRY".to_owned(), "http://registry.invalid:81/".to_owned());
    let fault = prepare(&NpmPackages::new(options), &["npm:zod@4"]).await.unwrap_err();
    assert_eq!((fault.class, fault.code), (FailureClass::Transient, Code::REGISTRY_UNREACHABLE));
    assert_eq!(&*fault.cause.0, "registry:registry.invalid:81");
}

/// The body of an archive is read, hashed and unpacked inside the operation that is tried again.
#[tokio::test]
async fn fault_41_a_broken_body_is_tried_again() {
    for path in [METADATA, ARCHIVE] {
        for length in [0, 1, 40, usize::MAX] {
            let world = World::new();
            world.registry.misbehave(Some(path), Misbehaviour::BreakOff(length), Some(2));
            prepare(&world.packages(), &["npm:zod@4"]).await.unwrap();
            assert_eq!(world.registry.count(path), 3);
            let pauses = world.pauses.pauses.lock().unwrap().clone();
            assert_eq!(pauses, [Duration::from_millis(200), Duration::from_millis(400)]);
        }
    }
}

#[tokio::test]
async fn an_integrity_mismatch_may_pass_and_says_both_digests() {
    for misbehaviour in [Misbehaviour::WrongIntegrity, Misbehaviour::CutShort(100)] {
        let world = World::new();
        let packages = world.packages();
        world.registry.misbehave(Some(ARCHIVE), misbehaviour, None);
        for _ in 0..4 {
            let fault = prepare(&packages, &["npm:zod@4"]).await.unwrap_err();
            // How often it did not fit is known to the row, which outlives the process.
            assert_eq!((fault.class, fault.code), (FailureClass::Transient, Code::INTEGRITY_MISMATCH));
            assert!(fault.message.contains("sha512-"), "{}", fault.message);
        }
        world.registry.heal().unwrap();
        prepare(&packages, &["npm:zod@4"]).await.unwrap();
    }
}

#[tokio::test]
async fn wrong_metadata_is_forgotten() {
    let world = World::new();
    let packages = world.packages();
    world.registry.misbehave(Some(METADATA), Misbehaviour::WrongIntegrity, Some(1));
    assert_eq!(prepare(&packages, &["npm:zod@4"]).await.unwrap_err().code, Code::INTEGRITY_MISMATCH);
    prepare(&packages, &["npm:zod@4"]).await.unwrap();
    assert_eq!(world.registry.count(METADATA), 2);
}

#[tokio::test]
async fn what_does_not_exist_is_named() {
    let world = World::new();
    let packages = world.packages();
    for (specifier, detail) in
        [("npm:no-such-package", "404"), ("npm:zod@5", "newest: 4.3.6"), ("npm:zod@no-such-tag", "newest: 4.3.6")]
    {
        let fault = prepare(&packages, &[specifier]).await.unwrap_err();
        assert_eq!((fault.class, fault.code), (FailureClass::Environment, Code::PACKAGE_NOT_FOUND), "{specifier}");
        assert!(fault.message.contains(detail), "{}", fault.message);
    }
    // Published a moment later, it is found at once and without a restart.
    world.registry.publish(FakePackage::new("no-such-package", "1.0.0").file("index.js", ""));
    prepare(&packages, &["npm:no-such-package"]).await.unwrap();
    world.registry.publish(FakePackage::new("zod", "5.0.0").file("index.js", ""));
    prepare(&packages, &["npm:zod@5"]).await.unwrap();
}

#[tokio::test]
async fn one_bad_package_takes_nothing_from_the_others() {
    let world = World::new();
    world.registry.publish(FakePackage::new("other", "1.0.0").file("index.js", ""));
    world.registry.misbehave(Some(ARCHIVE), Misbehaviour::Status(500), None);
    let packages = world.packages();
    let (bad, good) = futures::join!(prepare(&packages, &["npm:zod@4"]), prepare(&packages, &["npm:other@1"]));
    assert_eq!(bad.unwrap_err().code, Code::REGISTRY_FAILED);
    good.unwrap();
}

#[tokio::test]
async fn fault_43_the_message_says_what_came_back() {
    let world = World::new();
    world.registry.misbehave(Some(METADATA), Misbehaviour::Status(503), Some(1));
    world.registry.misbehave(Some(METADATA), Misbehaviour::Garbage, Some(2));
    let fault = prepare(&world.packages(), &["npm:zod@4"]).await.unwrap_err();
    assert!(
        fault.message.contains("not JSON") && fault.message.contains("first: it answered 503"),
        "{}",
        fault.message
    );
}

/// A process that wakes up with everything cached asks nobody; one with nothing asks for few things at a time.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fault_50_not_everything_at_once() {
    let world = World::new();
    let names: Vec<String> = (0..40).map(|number| format!("package-{number}")).collect();
    for name in &names {
        world.registry.publish(FakePackage::new(name, "1.0.0").file("index.js", name));
    }
    let run = |packages: NpmPackages| {
        let packages = Arc::new(packages);
        let names = names.clone();
        async move {
            let tasks: Vec<_> = names
                .into_iter()
                .map(|name| {
                    let packages = Arc::clone(&packages);
                    tokio::spawn(async move {
                        packages.prepare(&request(&[&format!("npm:{name}@1")]), &Arc::default()).await
                    })
                })
                .collect();
            for task in tasks {
                task.await.unwrap().unwrap();
            }
        }
    };
    let limits = Limits { concurrency: 4, ..Limits::default() };
    run(NpmPackages::new(Options { limits, ..world.options() })).await;
    assert!(world.registry.busiest() <= 4, "{} at once", world.registry.busiest());
    assert_eq!(world.registry.requests().len(), 80);
    world.registry.forget_requests();
    run(world.packages()).await;
    assert!(world.registry.requests().is_empty());
}

#[tokio::test]
async fn a_proxy_is_used_where_one_is_set() {
    let world = World::new();
    let proxy = FakeRegistry::start().unwrap();
    let mut options = world.options();
    options.environment.insert("http_proxy".to_owned(), proxy.url());
    prepare(&NpmPackages::new(options), &["npm:zod@4"]).await.unwrap_err();
    assert!(world.registry.requests().is_empty() && proxy.requests().len() == 1);

    let mut options = world.options();
    options.environment.insert("HTTP_PROXY".to_owned(), proxy.url());
    options.environment.insert("NO_PROXY".to_owned(), "127.0.0.1".to_owned());
    prepare(&NpmPackages::new(options), &["npm:zod@4"]).await.unwrap();
    assert_eq!(proxy.requests().len(), 1);
}

#[tokio::test]
async fn f18_no_message_has_the_password_of_a_proxy_or_a_registry() {
    for (variable, address) in [
        ("HTTP_PROXY", "http://me:s3cret@[bad"),
        ("http_proxy", "://me:s3cret@proxy"),
        ("HTTPS_PROXY", "http://me:s3cret@proxy:99999"),
        ("ALL_PROXY", "http://me:s3cret@127.0.0.1:1"),
        ("MANGROVE_NPM_REGISTRY", "htp://me:s3cret@registry"),
        ("MANGROVE_NPM_REGISTRY", "me:s3cret@registry"),
        ("MANGROVE_NPM_REGISTRY", "http://me:s3cret@127.0.0.1:1/"),
        ("MANGROVE_NPM_REGISTRY", "http://127.0.0.1:1/?token=s3cret"),
        ("HTTP_PROXY", "http://me:s3cret"),
        ("HTTPS_PROXY", "me:s3cret"),
        ("ALL_PROXY", "http://me:s3cret/"),
        ("MANGROVE_NPM_REGISTRY", "http://me:s3cret"),
        ("NPM_CONFIG_REGISTRY", "me:s3cret"),
        (".npmrc", "http://me:s3cret"),
        (".npmrc", "https:me:s3cret/"),
    ] {
        let world = World::new();
        let mut options = world.options();
        if matches!(variable, ".npmrc" | "NPM_CONFIG_REGISTRY") {
            options.environment.clear();
        }
        if variable == ".npmrc" {
            std::fs::write(world.directory.path().join(variable), format!("registry={address}\n")).unwrap();
        } else {
            options.environment.insert(variable.to_owned(), address.to_owned());
        }
        let fault = prepare(&NpmPackages::new(options), &["npm:zod@4"]).await.unwrap_err();
        let text = format!("{fault} {} {:?}", fault.cause.0, fault.source);
        assert!(!text.contains("s3cret"), "{variable}={address}: {text}");
        assert!(!fault.message.is_empty());
    }
}

/// A registry that answers encryption with plain text: the client has cryptography, and the failure is that of TLS and not
/// that of a network, which would be tried again at once.
#[tokio::test]
async fn a_registry_without_tls_is_not_tried_again_at_once() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("https://{}/", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            let _ = stream.read(&mut [0; 1024]);
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        }
    });
    let world = World::new();
    let environment = BTreeMap::from([("MANGROVE_NPM_REGISTRY".to_owned(), address)]);
    let packages = NpmPackages::new(Options { environment, ..world.options() });
    let fault = prepare(&packages, &["npm:zod@4"]).await.expect_err("nobody speaks TLS there");
    assert_eq!((fault.class, fault.code), (FailureClass::Environment, Code::REGISTRY_UNREACHABLE), "{}", fault.message);
    assert!(world.pauses.pauses.lock().unwrap().is_empty(), "{}", fault.message);
}
