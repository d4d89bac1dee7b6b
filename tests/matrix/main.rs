//! Every way in which a registry fails × what is being built, through the whole pipeline: class, code, state, time of
//! the next try, what is served meanwhile, and that the first scan after the cause is gone heals it (fault 1).
//!
//! The packages, their cache, the vendor builds and the registry's answers are real; sources, bundles and exports are
//! fakes, so that hundreds of scans take seconds.

mod world;

use std::time::Duration;

use mangrove_domain::{
    failure::FailureClass::{self, Environment, Transient},
    problem::Code,
    state::StateName,
};
use mangrove_npm::registry::Limits;
use mangrove_testkit::{network::UnansweredPort, registry::Misbehaviour};
use world::{Served, World};

/// What goes wrong.
#[derive(Clone, Debug)]
enum Fault {
    /// On the path of the package's metadata.
    Metadata(Misbehaviour),
    /// On the path of its archive.
    Archive(Misbehaviour),
    /// Connections are refused.
    Down,
    /// The name of the registry's host does not resolve.
    NoSuchHost,
    /// The version that the source asks for does not exist.
    NoSuchVersion,
    /// The archive holds a path that leads out of it.
    Traversal,
}

/// One line of the table.
struct Line {
    fault: Fault,
    class: FailureClass,
    code: Code,
}

fn table() -> Vec<Line> {
    let mut lines = Vec::new();
    let mut add = |fault, class, code| lines.push(Line { fault, class, code });
    for wrap in [Fault::Metadata as fn(Misbehaviour) -> Fault, Fault::Archive] {
        for status in [408, 425, 429, 500, 502, 503, 504] {
            add(wrap(Misbehaviour::Status(status)), Transient, Code::REGISTRY_FAILED);
        }
        for status in [401, 403, 407] {
            add(wrap(Misbehaviour::Status(status)), Environment, Code::REGISTRY_REFUSED);
        }
        for status in [404, 410] {
            add(wrap(Misbehaviour::Status(status)), Environment, Code::PACKAGE_NOT_FOUND);
        }
        for misbehaviour in [
            Misbehaviour::BreakOff(0),
            Misbehaviour::BreakOff(40),
            Misbehaviour::BreakOff(usize::MAX),
            Misbehaviour::HangUp,
            Misbehaviour::Stall,
            Misbehaviour::StallInBody,
        ] {
            add(wrap(misbehaviour), Transient, Code::REGISTRY_UNREACHABLE);
        }
    }
    add(Fault::Metadata(Misbehaviour::Garbage), Transient, Code::REGISTRY_FAILED);
    add(Fault::Metadata(Misbehaviour::CutShort(40)), Transient, Code::REGISTRY_FAILED);
    add(Fault::Metadata(Misbehaviour::WrongIntegrity), Transient, Code::INTEGRITY_MISMATCH);
    for misbehaviour in [Misbehaviour::Garbage, Misbehaviour::CutShort(40), Misbehaviour::WrongIntegrity] {
        add(Fault::Archive(misbehaviour), Transient, Code::INTEGRITY_MISMATCH);
    }
    add(Fault::Down, Transient, Code::REGISTRY_UNREACHABLE);
    add(Fault::NoSuchHost, Transient, Code::REGISTRY_UNREACHABLE);
    add(Fault::NoSuchVersion, Environment, Code::PACKAGE_NOT_FOUND);
    add(Fault::Traversal, Environment, Code::PACKAGE_MALFORMED);
    lines
}

impl Line {
    fn label(&self) -> String {
        format!("{:?}", self.fault)
    }

    /// Lets it go wrong for the package `name`.
    fn begin(&self, world: &mut World, name: &str) {
        let archive = format!("/{name}/-/{name}-1.0.0.tgz");
        match &self.fault {
            Fault::Metadata(misbehaviour) => {
                world.registry.misbehave(Some(&format!("/{name}")), misbehaviour.clone(), None);
            }
            Fault::Archive(misbehaviour) => world.registry.misbehave(Some(&archive), misbehaviour.clone(), None),
            Fault::Down => world.registry.go_down(),
            Fault::NoSuchHost => world.restart_with_registry("http://registry.invalid:81/"),
            Fault::NoSuchVersion => world.registry.unpublish(name, "1.0.0"),
            Fault::Traversal => world.publish_traversal(name),
        }
    }

    fn end(&self, world: &mut World, name: &str) {
        match &self.fault {
            Fault::Metadata(_) | Fault::Archive(_) | Fault::Down => world.registry.heal().expect("the port is free"),
            Fault::NoSuchHost => world.restart(),
            Fault::NoSuchVersion | Fault::Traversal => world.publish(name),
        }
    }

    /// The failure of the model's row is the one of this line, and is tried again in time and not before.
    fn check_failure(&self, world: &World, attempts: u32) {
        let label = self.label();
        let row = world.row();
        let failure = row.failure().unwrap_or_else(|| panic!("{label}: no failure in {row:?}"));
        assert_eq!((failure.class, failure.code), (self.class, self.code), "{label}: {}", failure.latest_message);
        assert_eq!(failure.attempts, attempts, "{label}");
        assert!(!failure.first_message.is_empty(), "{label}");
        let next = failure.next_retry.unwrap_or_else(|| panic!("{label}: nobody tries again"));
        let longest = self.class.longest_delay().expect("a class with a timer");
        assert!(next.since(world.now()) <= longest, "{label}: {:?} of {longest:?}", next.since(world.now()));
        assert!(next >= world.now(), "{label}");
    }

    async fn check_timer(&self, world: &World) {
        let label = self.label();
        let next = world.row().failure().and_then(|failure| failure.next_retry).expect("a time");
        if next > world.now() {
            assert_eq!(world.scan_due().await, 0, "{label}: not before its time (fault 37)");
        }
        world.clock.set(next.plus(Duration::from_millis(1)));
        assert_eq!(world.scan_due().await, 1, "{label}: when its time has come");
    }
}

/// Nothing was ever built, and the package cannot be had.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_01_a_first_build_heals_whatever_the_registry_did() {
    for line in table() {
        let label = line.label();
        let mut world = World::new();
        world.publish("left");
        world.write_model("npm:left@1");
        line.begin(&mut world, "left");
        assert_eq!(world.scan().await, 1, "{label}");
        assert_eq!(world.row().state.name(), StateName::BundleBuildFailed, "{label}");
        line.check_failure(&world, 1);
        assert_eq!(world.served().await, Served::Nothing, "{label}");
        let attempts = world.row().failure().map_or(0, |failure| failure.attempts);
        assert_eq!(attempts, 2, "{label}: asking for the type is an attempt");
        line.check_timer(&world).await;
        assert_eq!(world.row().failure().map(|failure| failure.attempts), Some(3), "{label}");

        line.end(&mut world, "left");
        assert_eq!(world.scan().await, 1, "{label}");
        assert_eq!(world.row().state.name(), StateName::Indexed, "{label}: {:?}", world.row().failure());
        assert_eq!(world.scan().await, 0, "{label}: nothing is left to do");
    }
}

/// The type works; an edit asks for one more package, which cannot be had.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_04_a_working_type_is_served_whatever_the_registry_does() {
    for line in table() {
        let label = line.label();
        let mut world = World::new();
        world.publish("left");
        world.publish("right");
        world.write_model("npm:left@1");
        world.scan().await;
        assert_eq!(world.row().state.name(), StateName::Indexed, "{label}: {:?}", world.row().failure());
        let good = world.row().bundle().cloned();

        world.write_model("npm:left@1\nimport npm:right@1");
        line.begin(&mut world, "right");
        assert_eq!(world.scan().await, 1, "{label}");
        let row = world.row();
        assert_eq!((row.state.name(), row.degraded.is_some()), (StateName::Indexed, true), "{label}");
        assert_eq!(row.bundle().cloned(), good, "{label}: the last good bundle");
        line.check_failure(&world, 1);
        assert_eq!(world.served().await, Served::Old, "{label}");
        line.check_timer(&world).await;
        assert_eq!(world.row().bundle().cloned(), good, "{label}: still");

        line.end(&mut world, "right");
        assert_eq!(world.scan().await, 1, "{label}");
        let row = world.row();
        assert_eq!((row.state.name(), row.degraded.as_ref()), (StateName::Indexed, None), "{label}");
        assert_eq!(world.served().await, Served::New, "{label}");
        assert_eq!(world.scan().await, 0, "{label}");
    }
}

/// The package is there; building its vendor unit needs a dependency, which cannot be had.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_41_a_vendor_build_heals_whatever_the_registry_did() {
    for line in table() {
        let label = line.label();
        let mut world = World::new();
        world.publish("right");
        world.publish_with_dependency("left", "right");
        world.write_model("npm:left@1");
        line.begin(&mut world, "right");
        assert_eq!(world.scan().await, 1, "{label}");
        assert_eq!(world.row().state.name(), StateName::BundleBuildFailed, "{label}");
        line.check_failure(&world, 1);
        line.end(&mut world, "right");
        assert_eq!(world.scan().await, 1, "{label}");
        assert_eq!(world.row().state.name(), StateName::Indexed, "{label}: {:?}", world.row().failure());
    }
}

/// What is cached needs no registry: a vendor unit that was lost is built again whatever the registry does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_vendor_unit_is_built_from_the_cache_whatever_the_registry_does() {
    // A cache belongs to the registry that it was filled from: another name is another registry.
    for line in table().into_iter().filter(|line| !matches!(line.fault, Fault::NoSuchHost)) {
        let label = line.label();
        let mut world = World::new();
        world.publish("left");
        world.write_model("npm:left@1");
        world.scan().await;
        let vendors = world.row().bundle().map(|bundle| bundle.vendors.clone()).unwrap_or_default();
        assert_eq!(vendors.len(), 1, "{label}");
        world.lose(vendors[0].key).await;
        line.begin(&mut world, "left");
        world.registry.forget_requests();
        assert_eq!(world.scan().await, 1, "{label}");
        let row = world.row();
        assert_eq!((row.state.name(), row.failure()), (StateName::Indexed, None), "{label}");
        assert!(world.registry.requests().is_empty(), "{label}");
    }
}

/// What goes wrong once or twice on the way of one attempt costs no failure at all.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_43_a_hiccup_within_one_attempt_is_no_failure() {
    for path in ["/left", "/left/-/left-1.0.0.tgz"] {
        for misbehaviour in [Misbehaviour::Status(503), Misbehaviour::BreakOff(40), Misbehaviour::Status(429)] {
            let world = World::new();
            world.publish("left");
            world.write_model("npm:left@1");
            world.registry.misbehave(Some(path), misbehaviour.clone(), Some(2));
            world.scan().await;
            assert_eq!(world.row().state.name(), StateName::Indexed, "{path} {misbehaviour:?}");
        }
    }
}

/// An archive that keeps being another one than was promised is transient twice, then somebody's doing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lasting_integrity_mismatch_becomes_a_matter_of_the_environment() {
    let world = World::new();
    world.publish("left");
    world.write_model("npm:left@1");
    world.registry.misbehave(Some("/left/-/left-1.0.0.tgz"), Misbehaviour::WrongIntegrity, None);
    let mut classes = Vec::new();
    for _ in 0..4 {
        world.scan().await;
        classes.push(world.row().failure().expect("it fails").class);
    }
    assert_eq!(classes, [Transient, Transient, Environment, Environment]);
    world.registry.heal().expect("the port is free");
    world.scan().await;
    assert_eq!(world.row().state.name(), StateName::Indexed);
}

/// The same if each try is one of a new process, as on the command line.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f19_a_lasting_integrity_mismatch_is_counted_across_processes() {
    let mut world = World::new();
    world.publish("left");
    world.write_model("npm:left@1");
    world.registry.misbehave(Some("/left/-/left-1.0.0.tgz"), Misbehaviour::WrongIntegrity, None);
    let mut classes = Vec::new();
    for _ in 0..4 {
        world.restart();
        world.scan().await;
        classes.push(world.row().failure().expect("it fails").class);
    }
    assert_eq!(classes, [Transient, Transient, Environment, Environment]);
    let next = world.row().failure().and_then(|failure| failure.next_retry).expect("a time");
    assert!(next.since(world.now()) >= Duration::from_secs(30), "the timer is that of the class");
    world.registry.heal().expect("the port is free");
    world.restart();
    world.scan().await;
    assert_eq!(world.row().state.name(), StateName::Indexed);
}

/// Local types are committed while everything that needs a package waits for a registry that keeps silent, and the whole
/// scan ends after two time-outs, however many wait.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f11_f12_what_is_ready_is_committed_while_the_rest_waits_for_a_silent_registry() {
    let silence = Duration::from_secs(4);
    let world = World::with_limits(Limits { connect: silence, silence, ..Limits::default() });
    world.registry.misbehave(None, Misbehaviour::Stall, None);
    for number in 0..200 {
        world.write(
            &format!("models/a-{number}.ts"),
            &format!("type @acme/a-{number}\nexport model\nimport npm:left-{number}@1"),
        );
    }
    for number in 0..20 {
        world.write(&format!("models/z-{number}.ts"), &format!("type @acme/z-{number}\nexport model"));
    }
    let scan = tokio::spawn(world.scanning());
    let began = tokio::time::Instant::now();
    while world.ready() < 20 {
        assert!(!scan.is_finished(), "the local types are ready only when the scan has ended");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(began.elapsed() < silence, "they waited for the registry: {:?}", began.elapsed());
    assert_eq!(world.published(), 20, "what is committed is published");
    scan.await.expect("it does not panic").expect("a registry is no reason for a scan to fail");
    assert!(began.elapsed() < silence * 3, "{:?}", began.elapsed());
    assert!(world.registry.requests().len() <= 17, "{} requests", world.registry.requests().len());
    assert_eq!((world.ready(), world.rows()), (20, 220));
}

/// The same where packets are dropped.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f11_f12_what_is_ready_is_committed_while_the_rest_waits_for_a_registry_that_drops_packets() {
    let silence = Duration::from_secs(4);
    let mut world = World::with_limits(Limits { connect: silence, silence, ..Limits::default() });
    let port = UnansweredPort::start().await.expect("a free port");
    world.restart_with_registry(&port.url());
    for number in 0..200 {
        world.write(
            &format!("models/a-{number}.ts"),
            &format!("type @acme/a-{number}\nexport model\nimport npm:left-{number}@1"),
        );
    }
    world.write("models/z.ts", "type @acme/z\nexport model");
    let scan = tokio::spawn(world.scanning());
    let began = tokio::time::Instant::now();
    while world.ready() < 1 {
        assert!(!scan.is_finished(), "the local type is ready only when the scan has ended");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(began.elapsed() < silence, "it waited for the registry: {:?}", began.elapsed());
    scan.await.expect("it does not panic").expect("a registry is no reason for a scan to fail");
    assert!(began.elapsed() < silence * 3, "{:?}", began.elapsed());
    assert_eq!((world.ready(), world.rows()), (1, 201));
}

/// A rejected export is an answer: no outage and no healing makes anybody build it again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rejected_export_is_not_built_again_whatever_the_registry_does() {
    for line in table() {
        let label = line.label();
        let mut world = World::new();
        world.publish("left");
        world.write_model("npm:left@1\nreject");
        world.scan().await;
        assert_eq!(world.row().state.name(), StateName::ValidationFailed, "{label}");
        line.begin(&mut world, "left");
        assert_eq!(world.scan().await, 0, "{label}");
        line.end(&mut world, "left");
        assert_eq!(world.scan().await, 0, "{label}");
        assert_eq!(world.row().state.name(), StateName::ValidationFailed, "{label}");
    }
}
