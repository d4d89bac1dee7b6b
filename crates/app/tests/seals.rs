//! What a scan that found nothing to do leaves for the next one, and everything that breaks it
//! (`design/decisions/0007-sealed-scans.md`).

#[expect(dead_code, reason = "shared with the tests of scans")]
mod world;

use std::sync::Arc;

use mangrove_app::{
    health,
    loaders::Registry,
    scan::{Detail, Report, RetryMode, ScanRequest, Scanner},
};
use mangrove_domain::{
    description::{Description, Violation},
    kind_layout::KindLayout,
    plan::Scope,
    ports::{BundleStore as _, Catalog as _, Change, Commit, Loader, Seals as _, Write},
    row::Row,
    shape::{Shape, Site},
    source::Kind,
};
use world::{World, model, network_down};

fn counts() -> ScanRequest {
    ScanRequest { detail: Detail::Counts, ..ScanRequest::default() }
}

/// Two healthy models, scanned until the conclusion is sealed.
async fn sealed() -> World {
    let world = World::new();
    world.tree.write("models/dns.ts", &model("@acme/dns", "import npm:undici@7\nimport _lib/shared.ts"));
    world.tree.write("models/s3.ts", &model("@acme/s3", ""));
    world.tree.write("_lib/shared.ts", "one");
    world.scan().await;
    assert_eq!(world.seals.load().await, None, "a scan that built something concludes nothing");
    world.scan().await;
    assert_eq!(world.seals.saves(), 1);
    world
}

/// True if no plan was made.
fn is_repeated(report: &Report) -> bool {
    report.rows.is_empty() && report.steps.is_empty() && !report.kinds.is_empty()
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
    let repeated = world.scan_with(counts()).await;
    assert!(is_repeated(&repeated));
    assert_eq!(repeated.kinds, planned.kinds);
    assert_eq!(repeated.problems, planned.problems);
    assert_eq!((repeated.statistics.built, repeated.statistics.files_read), (0, 0));
    let again = world.scan_with(counts()).await;
    assert!(is_repeated(&again), "looking breaks nothing");
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
        assert!(is_repeated(&world.scan_with(counts()).await), "{what}: sealed");
        break_it(&world).await;
        world.restart();
        let report = world.scan_with(counts()).await;
        assert!(!report.steps.is_empty(), "{what}: a plan is made");
        let rows = world.catalog.rows();
        assert_eq!(report.kinds, health::by_kind(&rows), "{what}: the report tells of the rows that there are");
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

/// A failure is never a cached answer, and neither is anything else that a person should hear of.
#[tokio::test]
async fn fault_47_only_what_is_well_is_sealed() {
    type Make = fn(&World);
    let makes: [(&str, Make); 4] = [
        ("a transient failure", |world| {
            world.packages.fail(Some(network_down()));
            world.tree.write("models/new.ts", &model("@acme/new", "import npm:zod@4"));
        }),
        ("a rejection", |world| world.tree.write("models/new.ts", &model("@acme/new", "reject"))),
        ("a degraded row", |world| {
            world.packages.fail(Some(network_down()));
            world.tree.write("models/s3.ts", &model("@acme/s3", "import npm:zod@4"));
        }),
        ("a contested type", |world| world.tree.write("models/new.ts", &model("@acme/s3", ""))),
    ];
    for (what, make) in makes {
        let mut world = sealed().await;
        make(&world);
        for _ in 0..3 {
            world.scan_with(counts()).await;
        }
        assert_eq!(world.seals.saves(), 1, "{what} is not sealed");
        world.restart();
        let report = world.scan_with(counts()).await;
        assert_eq!(report.rows.len(), world.catalog.rows().len(), "{what} is told each time");
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
    assert_eq!(world.seals.saves(), 1);
    world.scan_with(counts()).await;
    assert_eq!(world.seals.saves(), 2, "all is well again");
    assert!(is_repeated(&world.scan_with(counts()).await));
}

#[tokio::test]
async fn a_dry_run_repeats_and_seals_nothing() {
    let world = World::new();
    world.tree.write("models/s3.ts", &model("@acme/s3", ""));
    world.scan().await;
    let dry = ScanRequest { dry_run: true, ..counts() };
    world.scan_with(dry.clone()).await;
    assert_eq!(world.seals.saves(), 0);
    world.scan().await;
    let report = world.scan_with(dry).await;
    assert!(is_repeated(&report));
    assert_eq!(report.kinds.get(&Kind::new("model")).map(health::Summary::rows), Some(1));
}
