//! Deno on networks that do not answer, with programs that wait as Deno does.

use std::time::Instant;

use mangrove_testkit::{
    network::UnansweredPort,
    registry::{FakeRegistry, Misbehaviour},
};

use super::{
    tests::{SILENCE, World, jsr},
    *,
};

/// Begins to fetch from this address, and waits for ever.
fn waits_for(address: &str) -> String {
    format!("echo 'Download {address}' >&2; exec sleep 1000\n")
}

/// Builds this many entries, two at a time, as one plan does.
async fn plan(bundler: &Arc<DenoBundler>, entries: usize) -> Vec<Result<Bundle, Fault>> {
    let (outages, places) = (Arc::new(Outages::new()), Arc::new(tokio::sync::Semaphore::new(2)));
    let mut builds = Vec::new();
    for _ in 0..entries {
        let (bundler, outages, places) = (Arc::clone(bundler), Arc::clone(&outages), Arc::clone(&places));
        builds.push(tokio::spawn(async move {
            let _place = places.acquire().await;
            let request =
                BundleRequest { graph: jsr(), imports: BTreeMap::new(), offers: BTreeMap::new(), inlined: Vec::new() };
            bundler.bundle(request, &outages).await.map_err(|failure| failure.fault)
        }));
    }
    let mut outcomes = Vec::new();
    for build in builds {
        outcomes.push(build.await.unwrap());
    }
    outcomes
}

fn assert_outage(outcomes: Vec<Result<Bundle, Fault>>, origin: &str) -> usize {
    let faults: Vec<Fault> = outcomes.into_iter().map(Result::unwrap_err).collect();
    for fault in &faults {
        assert_eq!((fault.class, fault.code), (FailureClass::Transient, Code::REGISTRY_UNREACHABLE), "{fault}");
        assert_eq!(*fault.cause.0, *format!("registry:{origin}"), "{fault}");
    }
    faults.iter().filter(|fault| !fault.message.contains("it was not asked")).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f11_many_entries_on_a_host_that_drops_packets_wait_for_two_time_outs_and_no_more() {
    let port = UnansweredPort::start().await.unwrap();
    let world = World::new(&waits_for(&format!("{}@std/path/meta.json", port.url())));
    let began = Instant::now();
    let asked = assert_outage(plan(&Arc::new(world.bundler()), 12).await, &port.origin());
    assert_eq!(asked, 3, "two at once, and one once more");
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f11_many_entries_on_a_host_that_sends_nothing_wait_for_two_time_outs_and_no_more() {
    let host = FakeRegistry::start().unwrap();
    host.misbehave(None, Misbehaviour::Stall, None);
    let world = World::new(&waits_for(&format!("{}@std/path/meta.json", host.url())));
    let bundler = Arc::new(world.bundler());
    assert_eq!(assert_outage(plan(&bundler, 12).await, &host.origin()), 3, "two at once, and one once more");
    assert_eq!(host.requests().len(), 3);

    // The next plan knows nothing of it.
    host.forget_requests();
    assert_eq!(assert_outage(plan(&bundler, 1).await, &host.origin()), 1);
    assert_eq!(host.requests().len(), 1);
}

/// What is cached needs no network: a Deno that fetches nothing is never stopped.
#[tokio::test]
async fn f11_who_fetches_nothing_is_not_concerned() {
    let host = FakeRegistry::start().unwrap();
    let world = World::new("cp \"$entry\" $out; sed -i '/^import/d' $out\n");
    let outages = Arc::new(Outages::new());
    let cause = mangrove_domain::failure::CauseKey(format!("registry:{}", host.origin()).into());
    outages.confirm(&cause, "silent");
    let request =
        BundleRequest { graph: jsr(), imports: BTreeMap::new(), offers: BTreeMap::new(), inlined: Vec::new() };
    world.bundler().bundle(request, &outages).await.unwrap();
    assert!(host.requests().is_empty());
}

/// A host that answers is waited for, whatever it answers, and others are asked no more than once meanwhile.
#[tokio::test]
async fn f11_a_host_that_answers_is_waited_for() {
    let host = FakeRegistry::start().unwrap();
    host.misbehave(None, Misbehaviour::Status(503), None);
    let url = host.url();
    let world = World::new(&format!(
        "echo 'Download {url}a' >&2; echo 'Download {url}b' >&2; sleep 1; cp \"$entry\" $out; sed -i '/^import/d' $out\n"
    ));
    world.bundle(jsr()).await.unwrap();
    assert_eq!(host.requests().len(), 1, "{:?}", host.requests());
}

/// A host that we cannot reach and Deno can is Deno's business.
#[tokio::test]
async fn f11_a_deno_that_goes_on_is_not_stopped() {
    let port = UnansweredPort::start().await.unwrap();
    let world = World::new(&format!(
        "echo 'Download {}a' >&2; sleep {}; echo 'Initialize a' >&2; sleep 1; cp \"$entry\" $out; sed -i '/^import/d' $out\n",
        port.url(),
        SILENCE.as_secs_f64() / 2.0
    ));
    world.bundle(jsr()).await.unwrap();
}

#[tokio::test]
async fn f11_offline_no_host_is_asked() {
    let host = FakeRegistry::start().unwrap();
    host.misbehave(None, Misbehaviour::Stall, None);
    let mut world = World::new(&waits_for(&host.url()));
    (world.is_offline, world.limit) = (true, Duration::from_secs(2));
    let fault = world.fault(jsr()).await;
    assert_eq!(fault.code, Code::RUNTIME_TIMED_OUT, "{fault}");
    assert!(host.requests().is_empty());
}

#[tokio::test]
async fn f11_a_tool_that_cannot_be_fetched_is_known_as_soon_as_its_registry_is_silent() {
    let host = FakeRegistry::start().unwrap();
    host.misbehave(None, Misbehaviour::Stall, None);
    let mut world = World::new(&waits_for(&host.url()));
    world.environment.insert("MANGROVE_NPM_REGISTRY".to_owned(), host.url());
    fs::remove_dir_all(world.directory.path().join("state/deno")).unwrap();
    let fault = world.fault(jsr()).await;
    assert_eq!((fault.class, fault.code), (FailureClass::Transient, Code::RUNTIME_INCOMPLETE), "{fault}");
    assert_eq!(*fault.cause.0, *format!("registry:{}", host.origin()), "{fault}");
    assert!(fault.message.contains("it sent nothing for 400ms"), "{fault}");
    assert!(world.calls().is_empty(), "Deno, which would wait, is not even started");
}
