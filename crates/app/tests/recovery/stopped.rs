//! A scan is stopped at its first, second, … call of a port, until one goes through undisturbed. Each time the next
//! scan must arrive where an undisturbed one does.
//!
//! It arrives there in all that rows say except their revisions, and how often and when something failed: a failure that
//! was committed before the stop is seen once more after it. History differs for the same reason, and the store may hold
//! objects that no row needs. One call may fail for good: a rejection is kept without the line of the export if that
//! could not be found out.

use std::{
    collections::{BTreeMap, BTreeSet},
    pin::pin,
    sync::Arc,
    task::Poll,
    time::Duration,
};

use mangrove_app::{
    loaders::Registry,
    scan::{Ports, ScanRequest, Scanner},
};
use mangrove_domain::{
    bundle::{BundleRef, Presence},
    failure::Failure,
    ports::{BundleStore, Catalog, Clock, Seals},
    row::Row,
    source::{Kind, SourceId},
    state::State,
    time::Timestamp,
    type_name::TypeName,
};
use mangrove_testkit::{
    fakes::{ManualClock, MemoryTree, ScriptedBundler, ScriptedInspector, ScriptedPackages, SeededEntropy},
    stops::{Stop, Stops},
};

/// What outlives a process, apart from the sources.
pub(crate) trait Storage {
    /// Empty.
    async fn create() -> Self;

    /// As a new process finds it.
    async fn open(&self) -> (Arc<dyn Catalog>, Arc<dyn BundleStore>, Arc<dyn Seals>);

    /// Loses what was not made durable.
    fn crash(&self);
}

/// A change of the sources; the scan after it is stopped.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    /// Each followed by an undisturbed scan.
    before: &'static [fn(&MemoryTree)],
    change: fn(&MemoryTree),
    /// True if time passes at each look at the clock, so that each settled row is a batch.
    has_many_batches: bool,
}

pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "new_sources",
        before: &[],
        change: |tree| {
            tree.write("models/a.ts", &model("@acme/a", "import npm:zod@4"));
            tree.write("models/b.ts", &model("@acme/b", "import lib/shared.ts"));
            tree.write("models/c.ts", &model("@acme/a", "the same type"));
            tree.write("models/more.ts", "type @acme/b\nexport extension\nmethod more");
            tree.write("models/bad.ts", &model("@acme/bad", "broken"));
            tree.write("models/locked.ts", MemoryTree::UNREADABLE);
            tree.write("lib/shared.ts", "shared");
        },
        has_many_batches: false,
    },
    Scenario {
        name: "a_changed_source",
        before: &[some],
        change: |tree| tree.write("models/a.ts", &model("@acme/a", "two")),
        has_many_batches: false,
    },
    Scenario {
        name: "a_failed_build_of_a_degraded_row",
        before: &[some, |tree| tree.write("models/a.ts", &model("@acme/a", "broken"))],
        change: |tree| tree.write("models/a.ts", &model("@acme/a", "broken\nin another way")),
        has_many_batches: false,
    },
    Scenario {
        name: "a_rejected_export",
        before: &[some],
        change: |tree| {
            tree.write("models/a.ts", &model("@acme/a", "reject"));
            tree.write("models/new.ts", &model("@acme/new", "reject"));
        },
        has_many_batches: false,
    },
    Scenario {
        name: "a_removed_source",
        before: &[some],
        change: |tree| {
            tree.remove("models/a.ts");
            tree.remove("models/other.ts");
        },
        has_many_batches: false,
    },
    Scenario {
        name: "a_swap_of_claims",
        before: &[some],
        change: |tree| {
            tree.write("models/a.ts", &model("@acme/b", "one"));
            tree.write("models/b.ts", &model("@acme/a", "one"));
        },
        has_many_batches: false,
    },
    Scenario {
        name: "several_batches",
        before: &[some],
        change: |tree| {
            tree.write("models/a.ts", &model("@acme/b", "one"));
            tree.write("models/b.ts", &model("@acme/a", "import npm:zod@4"));
            tree.remove("models/other.ts");
            tree.write("models/rejected.ts", &model("@acme/rejected", "reject"));
            tree.write("models/bad.ts", &model("@acme/bad", "broken"));
            tree.write("models/new.ts", &model("@acme/new", ""));
        },
        has_many_batches: true,
    },
];

/// Sources to start from: three types, one of them claimed twice, and rows that nothing happens to.
fn some(tree: &MemoryTree) {
    for (path, type_name) in [
        ("models/a.ts", "@acme/a"),
        ("models/b.ts", "@acme/b"),
        ("models/later.ts", "@acme/a"),
        ("models/other.ts", "@acme/other"),
        ("models/rest.ts", "@acme/rest"),
        ("models/still.ts", "@acme/still"),
    ] {
        tree.write(path, &model(type_name, "one"));
    }
}

fn model(type_name: &str, more: &str) -> String {
    format!("type {type_name}\nexport model\n{more}")
}

/// Tests a scenario with every kind of stop.
pub(crate) async fn test<S: Storage>(scenario: &Scenario) {
    let undisturbed = Case::<S>::prepare(scenario).await;
    let (scanner, stops) = undisturbed.start(Stop::Never).await;
    scanner.scan(&undisturbed.request()).await.expect("nothing disturbs it");
    let calls = stops.calls();
    if scenario.has_many_batches {
        let commits = calls.iter().filter(|call| **call == "catalog.commit").count();
        assert!(commits >= 3, "{commits} batches: {calls:?}");
    }
    let expected = undisturbed.outcome().await;
    assert!(!expected.resolved.is_empty(), "a scenario in which something works");

    for stop in [Stop::Before as fn(usize) -> Stop, Stop::Refused, Stop::AnswerLost] {
        let mut number = 1;
        while let Some(call) = stopped_at::<S>(scenario, stop(number), &expected).await {
            assert!(number <= 2 * calls.len(), "scans do not end: {call}");
            number += 1;
        }
        assert!(number > calls.len() / 2, "only {number} stops of {} calls", calls.len());
    }
    let mut polls = 1;
    while dropped_after::<S>(scenario, polls, &expected).await {
        polls += 1;
    }
}

/// One scan with this stop and what follows; gives the call at which it was stopped, if it came so far.
async fn stopped_at<S: Storage>(scenario: &Scenario, stop: Stop, expected: &Outcome) -> Option<&'static str> {
    let case = Case::<S>::prepare(scenario).await;
    let (scanner, stops) = case.start(stop).await;
    let request = case.request();
    let ended = tokio::select! {
        biased;
        ended = scanner.scan(&request) => Some(ended),
        () = stops.stopped() => None,
    };
    let call = stops.reached();
    if call.is_none() {
        ended.expect("it was not stopped").expect("nothing disturbs it");
        return None;
    }
    let place = format!("{}: {stop:?} {}", scenario.name, call.unwrap_or_default());
    case.check(&scanner, &place).await;
    match ended {
        None => case.crash(scanner).await,
        // The process goes on and scans again.
        Some(_) => {
            scanner.scan(&request).await.unwrap_or_else(|error| panic!("{place}: {error:?}"));
            case.check(&scanner, &place).await;
            let published = scanner.index();
            assert_eq!(by_source(published.rows().map(AsRef::as_ref)), case.rows().await, "{place}: what is published");
        }
    }
    let (mut outcome, mut expected) = (case.outcome().await, expected.clone());
    if call == Some("tree.export_line") && !matches!(stop, Stop::Before(_)) {
        outcome.rows.values_mut().chain(expected.rows.values_mut()).for_each(without_lines);
    }
    outcome.check(&expected, &place);
    call
}

/// One scan that is dropped when it was polled so often, and the next one; false if it was through by then.
async fn dropped_after<S: Storage>(scenario: &Scenario, polls: usize, expected: &Outcome) -> bool {
    let case = Case::<S>::prepare(scenario).await;
    let (scanner, _) = case.start(Stop::Never).await;
    let request = case.request();
    let is_through = {
        let mut scan = pin!(scanner.scan(&request));
        let mut left = polls;
        std::future::poll_fn(|context| {
            if left == 0 {
                return Poll::Ready(false);
            }
            left -= 1;
            let polled = scan.as_mut().poll(context).map(|ended| {
                ended.expect("nothing disturbs it");
                true
            });
            if left == 0 && polled.is_pending() { Poll::Ready(false) } else { polled }
        })
        .await
    };
    let place = format!("{}: dropped after {polls} polls", scenario.name);
    case.check(&scanner, &place).await;
    case.crash(scanner).await;
    case.outcome().await.check(expected, &place);
    !is_through
}

/// Sources and what processes left behind.
struct Case<S> {
    storage: S,
    tree: Arc<MemoryTree>,
    packages: Arc<ScriptedPackages>,
    clock: Arc<dyn Clock>,
}

/// What a scenario comes to.
#[derive(Clone, Debug, PartialEq)]
struct Outcome {
    rows: BTreeMap<SourceId, Row>,
    /// The source that resolves each type, and the bundle.
    resolved: BTreeMap<(Kind, TypeName), (SourceId, BundleRef)>,
    /// What one more scan would build: what failed, and nothing else.
    built_again: u64,
}

impl Outcome {
    fn check(&self, expected: &Self, place: &str) {
        for (source, row) in &expected.rows {
            assert_eq!(self.rows.get(source), Some(row), "{place}: {source}");
        }
        assert_eq!(self, expected, "{place}");
    }
}

impl<S: Storage> Case<S> {
    /// The sources of the scenario, scanned, and changed.
    async fn prepare(scenario: &Scenario) -> Self {
        let clock = Arc::new(ManualClock::default());
        let clock: Arc<dyn Clock> = if scenario.has_many_batches { Arc::new(Ticking(clock)) } else { clock };
        let case = Self { storage: S::create().await, tree: Arc::default(), packages: Arc::default(), clock };
        for before in scenario.before {
            before(&case.tree);
            let (scanner, _) = case.start(Stop::Never).await;
            scanner.scan(&case.request()).await.expect("nothing disturbs it");
        }
        (scenario.change)(&case.tree);
        case
    }

    #[expect(clippy::unused_self, reason = "says whose scan it is")]
    fn request(&self) -> ScanRequest {
        ScanRequest { allow_mass_removal: true, ..ScanRequest::default() }
    }

    /// A new process.
    async fn start(&self, stop: Stop) -> (Scanner, Arc<Stops>) {
        let stops = Stops::new(stop);
        let (catalog, store, seals) = self.storage.open().await;
        let ports = Ports {
            tree: stops.wrap(Arc::clone(&self.tree)),
            packages: stops.wrap(Arc::clone(&self.packages)),
            bundler: stops.wrap(Arc::new(ScriptedBundler::new())),
            store: stops.wrap(store),
            inspector: stops.wrap(Arc::new(ScriptedInspector::new())),
            catalog: stops.wrap(catalog),
            seals: stops.wrap(seals),
            locks: Arc::new(mangrove_domain::ports::NoBuildLocks),
            leases: None,
            clock: Arc::clone(&self.clock),
            entropy: Arc::new(SeededEntropy::new(7)),
        };
        (Scanner::new(ports, Registry::built_in(), 2), stops)
    }

    /// Ends a process without warning.
    async fn crash(&self, scanner: Scanner) {
        drop(scanner);
        // What it had started ends now.
        tokio::task::yield_now().await;
        self.storage.crash();
        self.check_store("after the crash").await;
    }

    /// What must hold at any moment: the bundles of rows are there (I7), each type resolves at most once (I2), and what
    /// is published is no newer than what is committed.
    async fn check(&self, scanner: &Scanner, place: &str) {
        let rows = self.check_store(place).await;
        for published in scanner.index().rows() {
            let committed = rows.get(&published.source);
            let newest = committed.map_or(u64::MAX, |row| row.revision);
            assert!(
                published.revision > 0 && published.revision <= newest,
                "{place}: {} is published as revision {}, newer than it is committed",
                published.source,
                published.revision,
            );
            if let Some(committed) = committed.filter(|row| row.revision == published.revision) {
                assert_eq!(**published, *committed, "{place}: published otherwise than committed");
            }
        }
    }

    async fn check_store(&self, place: &str) -> BTreeMap<SourceId, Row> {
        let rows = self.rows().await;
        let (catalog, store, _) = self.storage.open().await;
        let mut holders = BTreeSet::new();
        for row in rows.values() {
            if let State::Indexed(indexed) = &row.state {
                let presence = store.presence(&[&indexed.bundle]).await.expect("a store");
                assert_eq!(presence, [Presence::Present], "{place}: {} (I7)", row.source);
                store.load(&indexed.bundle).await.unwrap_or_else(|error| panic!("{place}: {}: {error}", row.source));
                let description = catalog.description(indexed.description).await.expect("a catalog");
                assert!(description.is_some(), "{place}: {} has lost its description", row.source);
            }
            assert!(
                !row.is_resolvable() || holders.insert((row.kind.clone(), row.type_name().cloned())),
                "{place}: {} resolves a type that another row resolves (I2)",
                row.source
            );
            assert!(
                !matches!(row.state, State::Bundled { .. } | State::Tombstoned { .. }),
                "{place}: {} is {} (I4)",
                row.source,
                row.state.name()
            );
        }
        rows
    }

    async fn rows(&self) -> BTreeMap<SourceId, Row> {
        let (catalog, ..) = self.storage.open().await;
        let view = catalog.snapshot().await.expect("a catalog");
        assert_eq!(view.damaged, Vec::new(), "no row is damaged");
        view.rows.into_iter().map(|row| (row.source.clone(), row)).collect()
    }

    /// Scans to the end with a new process, and says where that leads.
    async fn outcome(&self) -> Outcome {
        let (scanner, _) = self.start(Stop::Never).await;
        scanner.scan(&self.request()).await.expect("nothing disturbs it");
        let rows = self.check_store("at the end").await;
        let index = scanner.index();
        assert_eq!(by_source(index.rows().map(AsRef::as_ref)), rows, "what is published is what is committed");
        let mut resolved = BTreeMap::new();
        for row in rows.values().filter(|row| row.is_resolvable()) {
            let Some(type_name) = row.type_name() else { continue };
            let winner = index.resolve(&row.kind, type_name).expect("a resolvable row resolves its type");
            let bundle = winner.bundle().expect("it has a bundle").clone();
            resolved.insert((row.kind.clone(), type_name.clone()), (winner.source.clone(), bundle));
        }
        let built_again = scanner.scan(&self.request()).await.expect("nothing disturbs it").statistics.built;
        let rows = rows.into_iter().map(|(source, row)| (source, without_history(row))).collect();
        Outcome { rows, resolved, built_again }
    }
}

fn by_source<'a>(rows: impl Iterator<Item = &'a Row>) -> BTreeMap<SourceId, Row> {
    rows.map(|row| (row.source.clone(), row.clone())).collect()
}

/// The row without what counts or dates its changes.
fn without_history(mut row: Row) -> Row {
    let epoch = Timestamp::from_millis(0);
    let plain = |failure: &mut Failure| {
        failure.attempts = 1;
        failure.first_seen = epoch;
        failure.last_seen = epoch;
        failure.next_retry = None;
    };
    row.revision = 0;
    row.degraded.iter_mut().for_each(plain);
    match &mut row.state {
        State::BundleBuildFailed { failure, .. } | State::EntryPointUnreadable { failure, .. } => plain(failure),
        State::Bundled { .. }
        | State::Indexed(_)
        | State::ValidationFailed { .. }
        | State::OrphanedBundleOnly { .. }
        | State::Tombstoned { .. } => {}
    }
    row
}

/// The row without the lines that violations name.
fn without_lines(row: &mut Row) {
    let State::ValidationFailed { violations, .. } = &mut row.state else { return };
    for violation in violations {
        if let Some(end) = violation.message.find(" (export in line ") {
            violation.message.truncate(end);
        }
    }
}

/// A clock on which a second passes at each look.
struct Ticking(Arc<ManualClock>);

impl Clock for Ticking {
    fn now(&self) -> Timestamp {
        self.0.advance(Duration::from_secs(1));
        self.0.now()
    }
}
