//! Registries that keep others waiting: how long one waits, and that it is not each one in turn.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use mangrove_domain::{
    failure::{FailureClass, Fault},
    outage::Outages,
    ports::Packages as _,
    problem::Code,
};
use mangrove_testkit::{
    network::UnansweredPort,
    registry::{FakePackage, Misbehaviour},
};

use super::{World, prepare, request};
use crate::{NpmPackages, Options, registry::Limits};

const SILENCE: Duration = Duration::from_millis(400);

fn packages(world: &World, url: Option<&str>) -> Arc<NpmPackages> {
    let limits = Limits { connect: SILENCE, silence: SILENCE, concurrency: 4, ..Limits::default() };
    let mut options = Options { limits, ..world.options() };
    if let Some(url) = url {
        options.environment.insert("MANGROVE_NPM_REGISTRY".to_owned(), url.to_owned());
    }
    Arc::new(NpmPackages::new(options))
}

/// Prepares forty packages at once, as one plan does; what became of each.
async fn forty(world: &World, packages: &Arc<NpmPackages>) -> Vec<Result<(), Fault>> {
    let outages = Arc::new(Outages::new());
    let mut tasks = Vec::new();
    for number in 0..40 {
        let name = format!("package-{number}");
        world.registry.publish(FakePackage::new(&name, "1.0.0").file("index.js", &name));
        let (packages, outages) = (Arc::clone(packages), Arc::clone(&outages));
        tasks.push(tokio::spawn(async move {
            packages.prepare(&request(&[&format!("npm:{name}@1")]), &outages).await.map(|_| ())
        }));
    }
    let mut outcomes = Vec::new();
    for task in tasks {
        outcomes.push(task.await.unwrap());
    }
    outcomes
}

#[tokio::test]
async fn f11_a_registry_that_sends_nothing_is_given_up_long_before_the_limit_of_the_operation() {
    let world = World::new();
    for (path, misbehaviour) in [
        ("/zod", Misbehaviour::Stall),
        ("/zod", Misbehaviour::StallInBody),
        ("/zod/-/zod-4.3.6.tgz", Misbehaviour::Stall),
        ("/zod/-/zod-4.3.6.tgz", Misbehaviour::StallInBody),
    ] {
        let label = format!("{path} {misbehaviour:?}");
        let packages = packages(&world, None);
        world.registry.misbehave(Some(path), misbehaviour, None);
        let began = Instant::now();
        let fault = prepare(&packages, &["npm:zod@4"]).await.expect_err(&label);
        assert_eq!((fault.class, fault.code), (FailureClass::Transient, Code::REGISTRY_UNREACHABLE), "{label}");
        assert_eq!(&*fault.cause.0, format!("registry:{}", world.registry.origin()), "{label}");
        assert!(fault.message.contains("it sent nothing for 400ms"), "{}", fault.message);
        assert!(began.elapsed() < Duration::from_secs(6), "{label}: {:?}", began.elapsed());
        world.registry.heal().unwrap();
    }
    prepare(&packages(&world, None), &["npm:zod@4"]).await.unwrap();
}

/// One time-out for those that were under way, one for the one that tries again: nobody else waits.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f11_many_packages_on_a_silent_registry_wait_for_two_time_outs_and_no_more() {
    let world = World::new();
    let packages = packages(&world, None);
    world.registry.misbehave(None, Misbehaviour::Stall, None);
    let outcomes = forty(&world, &packages).await;
    let asked = world.registry.requests().len();
    assert!(asked <= 5, "{asked} of 40 were asked for; four at once, and one once more");
    let mut not_asked = 0;
    for outcome in outcomes {
        let fault = outcome.unwrap_err();
        assert_eq!((fault.class, fault.code), (FailureClass::Transient, Code::REGISTRY_UNREACHABLE), "{fault}");
        assert_eq!(&*fault.cause.0, format!("registry:{}", world.registry.origin()), "{fault}");
        not_asked += u32::from(fault.message.contains("it was not asked"));
    }
    assert_eq!(not_asked, 40 - u32::try_from(asked).unwrap());

    // The next plan knows nothing of it.
    world.registry.heal().unwrap();
    for outcome in forty(&world, &packages).await {
        outcome.unwrap();
    }
}

/// The same where packets are dropped, and no connection is ever made.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f11_many_packages_on_a_registry_that_drops_packets_wait_for_two_time_outs_and_no_more() {
    let world = World::new();
    let port = UnansweredPort::start().await.unwrap();
    let packages = packages(&world, Some(&port.url()));
    let outcomes = forty(&world, &packages).await;
    let faults: Vec<Fault> = outcomes.into_iter().map(Result::unwrap_err).collect();
    assert!(faults.iter().all(|fault| fault.class == FailureClass::Transient), "{faults:?}");
    assert!(faults.iter().all(|fault| *fault.cause.0 == *format!("registry:{}", port.origin())), "{faults:?}");
    let asked = faults.iter().filter(|fault| !fault.message.contains("it was not asked")).count();
    assert_eq!(asked, 5, "{faults:?}");
}

/// What fails for a moment fails those that were under way at that moment.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f11_a_registry_that_comes_back_is_found_within_the_plan() {
    let world = World::new();
    let packages = packages(&world, None);
    world.registry.misbehave(None, Misbehaviour::Stall, Some(4));
    let outcomes = forty(&world, &packages).await;
    let failed = outcomes.iter().filter(|outcome| outcome.is_err()).count();
    assert_eq!(failed, 4, "{outcomes:?}");
}

/// One registry that hangs costs those nothing who ask another one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f11_registries_do_not_wait_for_each_other() {
    let world = World::new();
    let silent = mangrove_testkit::registry::FakeRegistry::start().unwrap();
    silent.misbehave(None, Misbehaviour::Stall, None);
    let npmrc = format!("@slow:registry={}\n", silent.url());
    std::fs::write(world.directory.path().join(".npmrc"), npmrc).unwrap();
    let limits = Limits { silence: Duration::from_mins(1), concurrency: 4, ..Limits::default() };
    let packages = Arc::new(NpmPackages::new(Options { limits, ..world.options() }));
    let mut hanging = tokio::task::JoinSet::new();
    for number in 0..8 {
        let packages = Arc::clone(&packages);
        hanging.spawn(async move { prepare(&packages, &[&format!("npm:@slow/package-{number}@1")]).await.map(|_| ()) });
    }
    while silent.requests().len() < 4 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    prepare(&packages, &["npm:zod@4"]).await.unwrap();
    assert!(hanging.try_join_next().is_none(), "the others still wait");
}

#[tokio::test]
async fn f19_a_registry_that_asks_for_patience_gets_it() {
    for (status, seconds, pauses) in [(429, 1, [1_000, 1_000]), (503, 7, [7_000, 7_000]), (503, 0, [200, 400])] {
        let world = World::new();
        world.registry.misbehave(Some("/zod"), Misbehaviour::RetryAfter(status, seconds), Some(2));
        prepare(&world.packages(), &["npm:zod@4"]).await.unwrap();
        let waited = world.pauses.pauses.lock().unwrap().clone();
        assert_eq!(waited, pauses.map(Duration::from_millis), "{status} {seconds}");
    }
    let world = World::new();
    let dates = ["Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:42 GMT"].map(str::to_owned);
    let [now, then] = dates;
    world.registry.misbehave(Some("/zod"), Misbehaviour::RetryAt(503, now, then), Some(1));
    prepare(&world.packages(), &["npm:zod@4"]).await.unwrap();
    assert_eq!(*world.pauses.pauses.lock().unwrap(), [Duration::from_secs(5)]);

    // More patience than an operation has: it is left alone, and told what it said.
    let world = World::new();
    world.registry.misbehave(Some("/zod"), Misbehaviour::RetryAfter(503, 3_600), None);
    let fault = prepare(&world.packages(), &["npm:zod@4"]).await.unwrap_err();
    assert_eq!((fault.class, fault.code), (FailureClass::Transient, Code::REGISTRY_FAILED), "{fault}");
    assert!(fault.message.contains("503") && fault.message.contains("wait for 3600s"), "{fault}");
    assert_eq!(fault.retry_after, Some(Duration::from_hours(1)), "the timer of the row is told as well");
    assert_eq!(world.registry.count("/zod"), 1);
}

#[tokio::test]
async fn f19_an_archive_at_no_address_of_the_web_is_told_with_it() {
    for address in ["ftp://host/zod.tgz", "file:///etc/hosts", "zod:4.3.6", "data:,x", "javascript:1"] {
        let world = World::new();
        world.registry.misbehave(Some("/zod"), Misbehaviour::ArchiveAt(address.to_owned()), None);
        let fault = prepare(&world.packages(), &["npm:zod@4"]).await.unwrap_err();
        assert_eq!((fault.class, fault.code), (FailureClass::Environment, Code::REGISTRY_FAILED), "{fault}");
        let origin = world.registry.origin();
        assert!(fault.message.contains(address) && fault.message.contains(&format!("from {origin}:")), "{fault}");
        assert_eq!(&*fault.cause.0, format!("registry:{origin}"));
    }
}
