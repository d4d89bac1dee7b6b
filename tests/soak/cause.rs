//! Many sources fail for one cause, a registry that is down: while it is, one of them is tried for all; when it answers
//! again, all of them heal in the same process.

use std::{
    collections::BTreeSet,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use mangrove_testkit::registry::{FakePackage, FakeRegistry, Misbehaviour};

use crate::{
    Extent, Outcome,
    repository::{Repository, model},
    serving::Serving,
};

/// How many sources fail, each for want of a package of its own, and for how long they are watched.
struct Size {
    sources: usize,
    watched: Duration,
    /// Until all of them have to be usable, from when the registry answers again.
    healed_within: Duration,
}

const LONG: Size = Size { sources: 1_000, watched: Duration::from_mins(1), healed_within: Duration::from_mins(5) };
const SHORT: Size = Size { sources: 60, watched: Duration::from_secs(10), healed_within: Duration::from_mins(1) };

/// What one cause may ask of a registry within a minute: a series of tries that come ever more slowly, each of which is
/// a few requests. One request for each source would be far more.
const MOST_PROBES: usize = 20;

pub(crate) fn run(extent: Extent) -> Result<Outcome> {
    let size = if extent.is_quick() { SHORT } else { LONG };
    let registry = FakeRegistry::start()?;
    let mut repository = Repository::new()?;
    for number in 0..size.sources {
        let package = FakePackage::new(&format!("package-{number}"), "1.0.0");
        registry.publish(package.file("index.js", "export const value = 1;\n"));
        let head = format!("import {{ value }} from \"npm:package-{number}@1.0.0\";");
        let text = model(&head, &format!("@drill/remote{number}"), "${value}");
        repository.write(&format!("extensions/models/remote{number}.ts"), &text)?;
    }
    registry.misbehave(None, Misbehaviour::Status(503), None);
    repository.set_environment("MANGROVE_NPM_REGISTRY", registry.url());
    // No look at all sources in between: what is tried is tried because its time has come.
    let serving = Serving::start(&repository, &["--rescan", "1h"])?;
    wait_until(&serving, size.healed_within, |counts| counts.waiting == size.sources).context("before the outage")?;
    // Each was tried once for itself; from here on one of them is tried for all.
    serving.logged("sources were settled")?;

    registry.forget_requests();
    thread::sleep(size.watched);
    let asked: BTreeSet<String> = registry.requests().into_iter().map(|request| request.path).collect();
    let requests = registry.requests().len();
    ensure!(requests > 0, "nothing was tried for {} s", size.watched.as_secs());
    ensure!(
        asked.len() <= MOST_PROBES,
        "{} packages were asked for within {} s, in {requests} requests",
        asked.len(),
        size.watched.as_secs()
    );

    registry.heal()?;
    let healed = wait_until(&serving, size.healed_within, |counts| counts.indexed == size.sources)
        .context("after the outage")?;
    serving.stop()?.expect(&[0])?;
    Ok(Outcome::Held(format!(
        "{} sources, {} s: {} of them asked for, {requests} requests; all healed {:.1} s after the registry answers",
        size.sources,
        size.watched.as_secs(),
        asked.len(),
        healed.as_secs_f64()
    )))
}

/// The drilled sources by what has become of them.
#[derive(Debug, Default)]
struct Counts {
    indexed: usize,
    /// Failed, with a further try to come.
    waiting: usize,
}

/// Waits until the daemon tells of counts that are `enough`; gives how long it took.
fn wait_until(serving: &Serving, limit: Duration, enough: impl Fn(&Counts) -> bool) -> Result<Duration> {
    let start = Instant::now();
    loop {
        let counts = counts(serving)?;
        if enough(&counts) {
            return Ok(start.elapsed());
        }
        ensure!(start.elapsed() < limit, "after {} s: {counts:?}", limit.as_secs());
        thread::sleep(Duration::from_millis(200));
    }
}

fn counts(serving: &Serving) -> Result<Counts> {
    let (mut counts, mut cursor) = (Counts::default(), String::new());
    loop {
        let document = serving.document(&format!("/api/v1/sources?limit=1000{cursor}"))?;
        for source in document["sources"].as_array().context("no list of sources")? {
            if source["path"].as_str().is_some_and(|path| path.contains("/remote")) {
                counts.indexed += usize::from(source["state"] == "Indexed");
                counts.waiting += usize::from(source["state"] == "BundleBuildFailed");
            }
        }
        match document["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return Ok(counts),
        }
    }
}
