//! What a scan leaves for the next one, and everything that breaks it
//! (`design/decisions/0010-seals-of-what-rests.md`).

#[expect(dead_code, reason = "shared with the tests of scans")]
mod world;

use std::sync::Arc;

use mangrove_app::{
    health,
    loaders::Registry,
    retry::retry,
    scan::{Choice, Detail, RetryMode, ScanRequest, Scanner},
    source_query::SourceQuery,
    types::Types as _,
};
use mangrove_domain::{
    description::{Description, Violation},
    kind_layout::KindLayout,
    plan::Scope,
    ports::{BundleStore as _, Catalog as _, Change, Commit, Loader, Write},
    row::Row,
    shape::{Shape, Site},
    source::Kind,
    type_name::TypeName,
};
use world::{World, model, network_down};

fn counts() -> ScanRequest {
    ScanRequest { detail: Detail::Counts, ..ScanRequest::default() }
}

/// Two healthy models, scanned until the conclusion is sealed, and until the catalog need not be opened for it.
async fn sealed() -> World {
    let world = World::new();
    world.tree.write("models/dns.ts", &model("@acme/dns", "import npm:undici@7\nimport _lib/shared.ts"));
    world.tree.write("models/s3.ts", &model("@acme/s3", ""));
    world.tree.write("_lib/shared.ts", "one");
    world.scan().await;
    world.scan().await;
    world.catalog.take_reads();
    world
}

/// True if no plan was made of all rows.
fn is_repeated(world: &World) -> bool {
    !world.catalog.take_reads().contains(&None)
}

async fn row(world: &World, path: &str) -> Row {
    let rows = world.catalog.snapshot().await.expect("rows").rows;
    rows.into_iter().find(|row| row.source.path.as_str() == path).expect("the row")
}

/// Writes a row as another process would.
async fn write_elsewhere(world: &World, row: Row) {
    let change = Change {
        source: row.source.clone(),
        expected_revision: row.revision,
        write: Write::Put(Box::new(row)),
        transition: None,
    };
    let commit = Commit { changes: vec![change], descriptions: Vec::new() };
    assert_eq!(world.catalog.commit(commit).await.expect("committed").conflicts, []);
}

#[tokio::test]
async fn an_unbroken_seal_is_the_report_of_the_scan_that_made_it() {
    let mut world = sealed().await;
    let planned = world.scan().await;
    world.restart();
    world.catalog.take_reads();
    let repeated = world.scan_with(counts()).await;
    assert_eq!(world.catalog.take_reads(), [], "no row is read");
    assert_eq!((repeated.rows.len(), repeated.looked_at), (0, 2));
    assert_eq!(repeated.kinds, planned.kinds);
    assert_eq!(repeated.problems, planned.problems);
    assert_eq!((repeated.statistics.built, repeated.statistics.files_read), (0, 0));
    world.scan_with(counts()).await;
    assert_eq!(world.catalog.take_reads(), [], "looking breaks nothing");
}

/// Whoever asks for rows, or for anything but the whole plan, gets a plan.
#[tokio::test]
async fn a_seal_answers_one_question_only() {
    let world = sealed().await;
    let others = [
        ScanRequest::default(),
        ScanRequest { rehash: true, ..counts() },
        ScanRequest { scope: Scope::Kinds([Kind::new("model")].into()), ..counts() },
    ];
    for request in others {
        let report = world.scan_with(request.clone()).await;
        assert_eq!(report.rows.len(), 2, "{request:?}");
        assert_eq!(report.steps.len(), 2, "{request:?}");
    }
}

type Break = (&'static str, fn(&World) -> futures::future::BoxFuture<'_, ()>);

/// Everything that a conclusion rests on, each changed by itself.
#[tokio::test]
async fn fault_46_every_input_breaks_the_seal() {
    let breaks: [Break; 14] = [
        ("an entry is edited", |world| {
            Box::pin(async { world.tree.write("models/s3.ts", &model("@acme/s3", "edited")) })
        }),
        ("a helper is edited", |world| Box::pin(async { world.tree.write("_lib/shared.ts", "two") })),
        ("a source appears", |world| Box::pin(async { world.tree.write("models/new.ts", &model("@acme/new", "")) })),
        ("a broken source appears", |world| {
            Box::pin(async { world.tree.write("models/new.ts", &model("@acme/new", "reject")) })
        }),
        ("a source goes", |world| Box::pin(async { world.tree.remove("models/s3.ts") })),
        ("a source is renamed", |world| {
            Box::pin(async {
                world.tree.remove("models/s3.ts");
                world.tree.write("models/moved.ts", &model("@acme/s3", ""));
            })
        }),
        ("a source cannot be read", |world| {
            Box::pin(async { world.tree.write("models/s3.ts", mangrove_testkit::fakes::MemoryTree::UNREADABLE) })
        }),
        ("the configuration changes", |world| Box::pin(async { world.tree.configure("{\"jsx\": \"react\"}") })),
        ("a lock is lost", |world| Box::pin(async { world.packages.unlock() })),
        ("the bundler is another one", |world| Box::pin(async { world.bundler.upgrade() })),
        ("a bundle is gone (I7)", |world| {
            Box::pin(async {
                let bundle = row(world, "models/s3.ts").await.bundle().expect("a bundle").clone();
                world.store.remove(bundle.entry.key).await.expect("removed");
            })
        }),
        ("a bundle is shorter (fault 10)", |world| {
            Box::pin(async {
                let bundle = row(world, "models/s3.ts").await.bundle().expect("a bundle").clone();
                world.store.damage(bundle.entry.key, b"");
            })
        }),
        ("a row cannot be read", |world| {
            Box::pin(async { world.catalog.damage(&row(world, "models/s3.ts").await.source) })
        }),
        ("another process degraded a row", |world| {
            Box::pin(async {
                let row = row(world, "models/s3.ts").await;
                let failure = mangrove_testkit::rows::failure("registry unreachable");
                let attempted = row.built.clone();
                write_elsewhere(world, Row { degraded: Some(failure), attempted, ..row }).await;
            })
        }),
    ];
    for (what, break_it) in breaks {
        let mut world = sealed().await;
        world.scan_with(counts()).await;
        assert!(is_repeated(&world), "{what}: sealed");
        break_it(&world).await;
        world.catalog.take_reads();
        world.restart();
        let report = world.scan_with(counts()).await;
        // What an edit reaches is planned without the rest.
        let is_edit = what.ends_with(" is edited");
        assert_eq!(is_repeated(&world), is_edit, "{what}: a plan is made of all rows");
        assert!(!is_edit || report.changed.len() == 1, "{what}: {:?}", report.changed);
        let rows = world.catalog.rows();
        assert_eq!(report.kinds, health::by_kind(&rows), "{what}: the report tells of the rows that there are");
        let settled = world.scan_with(counts()).await;
        assert_eq!((settled.kinds, settled.changed.len()), (report.kinds, 0), "{what}: the next one repeats that");
        let next = world.scan().await;
        assert_eq!((next.statistics.built, next.changed.len()), (0, 0), "{what}: and was carried out");
    }
}

/// The kind `model` with other rules.
struct Stricter(Arc<dyn Loader>);

impl Loader for Stricter {
    fn layout(&self) -> KindLayout {
        self.0.layout()
    }

    fn rule_version(&self) -> u32 {
        self.0.rule_version() + 1
    }

    fn describe(&self, shape: &Shape, site: &Site) -> Result<Description, Vec<Violation>> {
        self.0.describe(shape, site)
    }
}

#[tokio::test]
async fn fault_46_other_rules_break_the_seal() {
    let world = sealed().await;
    let loaders = Registry::built_in();
    let model = Arc::clone(loaders.get(&Kind::new("model")).expect("the kind"));
    let scanner = Scanner::new(world.scanner.ports().clone(), loaders.with(Arc::new(Stricter(model))), 2);
    let report = scanner.scan(&counts()).await.expect("a scan");
    assert_eq!(report.statistics.inspected, 2, "everything is judged again");
}

/// A failure is never a cached answer: what fails is tried by each scan, whatever the seal says of the rest.
#[tokio::test]
async fn fault_47_what_failed_is_never_at_rest() {
    type Make = fn(&World);
    let makes: [(&str, Make); 3] = [
        ("a transient failure", |world| {
            world.packages.fail(Some(network_down()));
            world.tree.write("models/new.ts", &model("@acme/new", "import npm:zod@4"));
        }),
        ("a syntax error", |world| world.tree.write("models/new.ts", &model("@acme/new", "broken"))),
        ("a degraded row", |world| {
            world.packages.fail(Some(network_down()));
            world.tree.write("models/s3.ts", &model("@acme/s3", "import npm:zod@4"));
        }),
    ];
    for (what, make) in makes {
        let mut world = sealed().await;
        make(&world);
        world.scan_with(counts()).await;
        world.catalog.take_reads();
        for scan in 1..=3 {
            world.restart();
            let report = world.scan_with(counts()).await;
            assert!(is_repeated(&world), "{what}: scan {scan} reads no healthy row");
            assert_eq!((report.statistics.built, report.changed.len()), (1, 1), "{what}: scan {scan} tries it");
            assert_eq!(report.rows.len(), 1, "{what}: scan {scan} tells of it");
            assert_eq!(report.rows[0].failure().map(|failure| failure.attempts), Some(scan + 1), "{what}");
        }
    }
}

#[tokio::test]
async fn fault_01_the_scan_after_the_outage_builds_although_only_counts_are_asked() {
    let world = sealed().await;
    world.packages.fail(Some(network_down()));
    world.tree.write("models/new.ts", &model("@acme/new", "import npm:zod@4"));
    for attempt in 1..=3 {
        let report = world.scan_with(counts()).await;
        assert_eq!(report.statistics.built, 1, "attempt {attempt}");
    }
    world.packages.fail(None);
    let report = world.scan_with(ScanRequest { retry: RetryMode::All, ..counts() }).await;
    assert_eq!((report.statistics.built, report.changed.len()), (1, 1));
    world.bundler.take_calls();
    world.scan_with(counts()).await;
    world.catalog.take_reads();
    let report = world.scan_with(counts()).await;
    assert!(is_repeated(&world), "all is well again");
    assert_eq!((report.rows.len(), world.bundler.take_calls().len()), (0, 0));
}

/// Who carries out a part of what a look saw has concluded nothing about the rest of it: `retry`, a type that is asked for,
/// the work of a daemon.
#[tokio::test]
async fn fault_46_what_is_carried_out_for_some_sources_is_no_seal() {
    let world = sealed().await;
    world.tree.write("models/bad.ts", &model("@acme/bad", "broken"));
    for _ in 0..2 {
        world.scan_with(counts()).await;
    }
    let saves = world.seals.saves();
    world.tree.write("models/s3.ts", &model("@acme/s3", "edited"));
    let query = SourceQuery::new("@acme/bad", []);
    let retried = retry(&world.scanner, Some(&query), &ScanRequest::default()).await.expect("a retry");
    assert_eq!(retried.sources.len(), 1);
    assert_eq!(world.seals.saves(), saves, "retry");

    // The same where nothing is written, so that the rows are those of the seal.
    let observed = world.scanner.look(&ScanRequest::default()).await.expect("a look");
    let report = world.scanner.carry_out(observed, Choice::default()).await.expect("nothing is done");
    assert_eq!((report.changed.len(), world.seals.saves()), (0, saves), "an empty choice");

    let (kind, name) = (Kind::new("model"), TypeName::stored("@acme/dns"));
    world.types().ready(&kind, &name).await.expect("it is ready");
    assert_eq!(world.seals.saves(), saves, "a type on demand");

    world.bundler.take_calls();
    world.scan_with(counts()).await;
    assert_eq!(world.bundler.take_calls(), ["models/bad.ts", "models/s3.ts"], "the edit is seen");
}

#[tokio::test]
async fn a_dry_run_repeats_and_seals_nothing() {
    let world = World::new();
    world.tree.write("models/s3.ts", &model("@acme/s3", ""));
    let dry = ScanRequest { dry_run: true, ..counts() };
    world.scan_with(dry.clone()).await;
    assert_eq!(world.seals.saves(), 0);
    world.scan().await;
    world.tree.write("models/bad.ts", &model("@acme/bad", "broken"));
    world.scan().await;
    world.catalog.take_reads();
    let saves = world.seals.saves();
    let report = world.scan_with(dry).await;
    assert!(is_repeated(&world));
    assert_eq!((report.statistics.built, report.looked_at, world.seals.saves()), (0, 2, saves));
    let planned: Vec<(&str, &str)> =
        report.steps.iter().map(|step| (step.source.path.as_str(), step.action.name())).collect();
    assert_eq!(planned, [("models/bad.ts", "build")], "it says what a scan would do");
    assert_eq!(report.kinds.get(&Kind::new("model")).map(health::Summary::rows), Some(2));
}
