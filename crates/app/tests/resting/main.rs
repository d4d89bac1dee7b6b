//! Scans over seals against scans that never repeat anything: whatever the repository is like and whatever happens to
//! it, reports, rows and history must be the same (`design/decisions/0010-seals-of-what-rests.md`).

mod narrow;
mod pair;
mod sequences;
#[expect(dead_code, reason = "shared with the tests of scans")]
#[path = "../world/mod.rs"]
mod world;

use std::collections::BTreeSet;

use mangrove_app::{
    health,
    scan::{Detail, RetryMode, ScanRequest},
};
use mangrove_domain::{
    failure::Fault,
    ports::{BundleStore as _, Catalog as _, Change, Commit, Seals as _, Write},
    problem::Code,
    row::Row,
    source::SourceId,
    state::StateName,
};
use mangrove_testkit::{fakes::MemoryTree, rows};
use pair::Pair;
use world::{World, model, network_down};

fn counts() -> ScanRequest {
    ScanRequest { detail: Detail::Counts, ..ScanRequest::default() }
}

/// Imports that the sources name in quotes, so that failures about them have a place.
const GONE: &str = "import npm:gone@1\n// from \"npm:gone@1\"";
const WITH_PROGRAM: &str = "import jsr:@std/path@1\n// from \"jsr:@std/path@1\"";

/// What is wrong with a package that no registry has.
fn gone() -> Fault {
    Fault::environment(Code::PACKAGE_NOT_FOUND, "specifier:npm:gone@1", "npm:gone@1: unknown")
}

/// One of everything that can be wrong.
fn all_sorts(world: &World) {
    let tree = &world.tree;
    for number in 0..5 {
        tree.write(&format!("models/good{number}.ts"), &model(&format!("@acme/good{number}"), ""));
    }
    tree.write("models/rejected.ts", &model("@acme/rejected", "reject"));
    tree.write("models/rejected-of-good.ts", &model("@acme/good3", "reject"));
    tree.write("models/syntax.ts", &model("@acme/syntax", "broken"));
    tree.write("models/throws.ts", &model("@acme/throws", "throw"));
    tree.write("models/locked.ts", MemoryTree::UNREADABLE);
    tree.write("models/gone.ts", &model("@acme/gone", GONE));
    tree.write("models/deno.ts", &model("@acme/deno", WITH_PROGRAM));
    // A conflict, and a type that resolves only because an earlier source of it fails.
    tree.write("models/twice-a.ts", &model("@acme/twice", ""));
    tree.write("models/twice-b.ts", &model("@acme/twice", "another one"));
    tree.write("models/first.ts", &model("@acme/first", "broken"));
    tree.write("models/second.ts", &model("@acme/first", ""));
    // Add-ons: one that collides, one that waits.
    tree.write("models/more.ts", "type @acme/good0\nexport extension\nmethod run");
    tree.write("models/waits.ts", "type @acme/nowhere\nexport extension\nmethod more");
    tree.mount_away("../away", Fault::environment(Code::ROOT_UNREACHABLE, "root:away", "is not there"));
    world.packages.break_package("npm:gone@1", gone());
    world.bundler.take_program(true);
}

type Step = (&'static str, fn(&World));

/// What happens to the repository, one after the other.
const LIFE: [Step; 16] = [
    ("all sorts of things are wrong", all_sorts),
    ("a good one breaks, and stays on its last bundle", |world| {
        world.tree.write("models/good1.ts", &model("@acme/good1", "broken"));
    }),
    ("the network is away", |world| {
        world.packages.fail(Some(network_down()));
        world.tree.write("models/good2.ts", &model("@acme/good2", "import npm:zod@4"));
    }),
    ("another failure of the same source", |world| {
        world.packages.fail(Some(Fault::transient(Code::REGISTRY_UNREACHABLE, "registry:other", "no answer")));
    }),
    ("the same failure in other words", |world| {
        world.packages.fail(Some(Fault::transient(Code::REGISTRY_UNREACHABLE, "registry:other", "still no answer")));
    }),
    ("the network is back", |world| world.packages.fail(None)),
    ("the program is there", |world| world.bundler.take_program(false)),
    ("the program is gone again, and its row has a bundle", |world| world.bundler.take_program(true)),
    ("what a fallback stands in for says something else", |world| {
        world.bundler.fail("models/first.ts", Fault::environment(Code::UNREADABLE, "bundler:a", "cannot be built"));
    }),
    ("and something else again, for the same cause", |world| {
        world.bundler.fail("models/first.ts", Fault::environment(Code::UNREADABLE, "bundler:a", "cannot be built yet"));
    }),
    ("what a fallback stands in for heals", |world| {
        world.bundler.heal();
        world.tree.write("models/first.ts", &model("@acme/first", "healed"));
    }),
    ("a rejection is mended, and another one made", |world| {
        world.tree.write("models/rejected.ts", &model("@acme/rejected", "mended"));
        world.tree.write("models/good4.ts", &model("@acme/good4", "reject"));
    }),
    ("a conflict goes", |world| world.tree.remove("models/twice-a.ts")),
    ("an entry can be read", |world| world.tree.write("models/locked.ts", &model("@acme/locked", ""))),
    ("a source is renamed", |world| {
        world.tree.remove("models/good0.ts");
        world.tree.write("models/moved.ts", &model("@acme/good0", ""));
    }),
    ("the bundler is another one", |world| world.bundler.upgrade()),
];

#[tokio::test]
async fn scans_over_seals_say_and_do_what_plans_do() {
    let mut pair = Pair::new();
    for (what, change) in LIFE {
        pair.change(change);
        let mut repeats = Vec::new();
        for scan in 1..=5 {
            if scan == 3 {
                pair.retry(&format!("{what}, a retry"), None).await;
                let dry = ScanRequest { dry_run: true, ..counts() };
                pair.scan(&format!("{what}, a dry run"), &dry).await;
            }
            repeats.push(pair.scan(&format!("{what}, scan {scan}"), &counts()).await);
        }
        assert!(repeats.ends_with(&[true, true]), "{what}: the last scans read what they tell of: {repeats:?}");
    }
    let states: BTreeSet<StateName> = pair.sealed.catalog.rows().iter().map(|row| row.state.name()).collect();
    assert!(states.len() > 2, "something is wrong to the end: {states:?}");
}

/// The rows that are read are those that something is said of, and a seal is there after the first scan.
#[tokio::test]
async fn no_row_of_a_healthy_source_is_read() {
    let world = World::new();
    all_sorts(&world);
    world.scan_with(counts()).await;
    world.catalog.take_reads();
    let report = world.scan_with(counts()).await;
    let expected: BTreeSet<SourceId> = world
        .catalog
        .rows()
        .iter()
        .filter(|row| health::problem(row).is_some())
        .map(|row| row.source.clone())
        .collect();
    let mut reads = world.catalog.take_reads().into_iter();
    assert_eq!(reads.next(), Some(Some(expected.clone())));
    assert!(reads.all(|read| read.is_some_and(|sources| sources.len() == 1)), "each attempt looks at its own row");
    assert_eq!(report.rows.iter().map(|row| row.source.clone()).collect::<BTreeSet<_>>(), expected);
    let failing = ["deno", "first", "gone", "syntax", "throws"];
    let changed: Vec<String> = report.changed.iter().map(|source| source.path.to_string()).collect();
    assert_eq!(changed, failing.map(|name| format!("models/{name}.ts")), "what failed was tried");
    for (name, place) in [("gone", 4), ("deno", 4)] {
        let row = report.rows.iter().find(|row| row.source.path.as_str() == format!("models/{name}.ts"));
        let message = row.and_then(|row| row.failure()).map(|failure| failure.latest_message.as_str());
        let place = format!("models/{name}.ts:{place}:");
        assert!(message.is_some_and(|message| message.starts_with(&place)), "{message:?} says where");
    }
}

/// What an attempt changes for others is settled among all rows, and nothing is built twice for it.
#[tokio::test]
async fn an_attempt_that_ends_otherwise_reads_all_rows_and_builds_once() {
    let world = World::new();
    let fault = Fault::transient(Code::REGISTRY_UNREACHABLE, "registry:a", "no answer");
    world.bundler.fail("models/first.ts", fault);
    world.tree.write("models/first.ts", &model("@acme/first", ""));
    world.tree.write("models/second.ts", &model("@acme/first", "the other"));
    for _ in 0..3 {
        world.scan_with(counts()).await;
    }
    world.bundler.take_calls();
    world.catalog.take_reads();
    world.bundler.heal();
    let report = world.scan_with(counts()).await;
    assert_eq!(world.bundler.take_calls(), ["models/first.ts"]);
    let tried = BTreeSet::from([rows::source("models/first.ts")]);
    assert_eq!(world.catalog.take_reads(), [Some(tried.clone()), Some(tried), None]);
    let second = report.rows.iter().find(|row| row.source.path.as_str() == "models/second.ts").expect("its row");
    assert_eq!(second.shadowed_by.as_ref().map(|source| source.path.as_str()), Some("models/first.ts"));
    assert_eq!(world.scanner.index().rows().len(), 2, "all rows are published");
}

fn sources_at(paths: &[&str]) -> BTreeSet<SourceId> {
    paths.iter().map(|path| rows::source(path)).collect()
}

/// An edit reads the rows that it reaches, and the next scan repeats what it concluded.
#[tokio::test]
async fn an_edit_reads_the_rows_that_it_reaches_and_no_other() {
    let world = World::new();
    let with_helper = |name: &str| model(&format!("@acme/{name}"), "import _lib/shared.ts");
    world.tree.write("_lib/shared.ts", "one");
    for name in ["a", "b"] {
        world.tree.write(&format!("models/{name}.ts"), &with_helper(name));
    }
    world.tree.write("models/other.ts", &model("@acme/other", ""));
    world.tree.write("models/bad.ts", &model("@acme/bad", "reject"));
    world.scan_with(counts()).await;
    let objects = world.seals.load().await.expect("a seal").conclusion.objects;
    world.tree.write("_lib/shared.ts", "two");
    world.bundler.take_calls();
    world.catalog.take_reads();
    let dry = ScanRequest { dry_run: true, ..counts() };
    let looked = world.scan_with(dry).await;
    let attempts: Vec<&str> =
        looked.steps.iter().filter(|step| step.action.is_attempt()).map(|step| step.source.path.as_str()).collect();
    assert_eq!(attempts, ["models/a.ts", "models/b.ts"]);
    assert_eq!(
        world.catalog.take_reads(),
        [Some(sources_at(&["models/bad.ts"])), Some(sources_at(&["models/a.ts", "models/b.ts"]))]
    );
    let report = world.scan_with(counts()).await;
    assert_eq!((report.changed.len(), report.looked_at), (2, 4));
    let reads = world.catalog.take_reads();
    assert_eq!(reads[..2], [Some(sources_at(&["models/bad.ts"])), Some(sources_at(&["models/a.ts", "models/b.ts"]))]);
    assert!(reads.iter().all(Option::is_some), "not all rows: {reads:?}");
    assert_eq!(world.bundler.take_calls(), ["models/a.ts", "models/b.ts"]);
    let report = world.scan_with(counts()).await;
    assert_eq!((report.changed.len(), report.looked_at), (0, 4));
    assert_eq!(world.catalog.take_reads(), [Some(sources_at(&["models/bad.ts"]))]);
    // What they were made of before is no longer needed.
    let now = world.seals.load().await.expect("a seal").conclusion.objects;
    assert_eq!(now.len(), objects.len());
    assert_ne!(now, objects);
}

/// Another description of a type that something adds to is weighed against that, among all rows.
#[tokio::test]
async fn an_edit_of_a_type_that_is_added_to_reads_all_rows() {
    let world = World::new();
    world.tree.write("models/base.ts", &model("@acme/base", ""));
    world.tree.write("models/more.ts", "type @acme/base\nexport extension\nmethod more");
    world.scan_with(counts()).await;
    world.catalog.take_reads();
    world.tree.write("models/base.ts", &model("@acme/base", "method more"));
    let report = world.scan_with(counts()).await;
    assert!(world.catalog.take_reads().contains(&None));
    assert!(report.problems.iter().any(|problem| problem.subject.contains("more.ts")), "{:?}", report.problems);
}

#[tokio::test]
async fn a_program_that_is_missing_is_looked_for_and_nothing_is_built() {
    let world = World::new();
    world.bundler.take_program(true);
    world.tree.write("models/deno.ts", &model("@acme/deno", "import jsr:@std/path@1"));
    world.scan_with(counts()).await;
    world.bundler.take_calls();
    let report = world.scan_with(counts()).await;
    assert_eq!(world.bundler.take_calls(), Vec::<String>::new());
    assert_eq!(report.rows[0].failure().map(|failure| failure.attempts), Some(2), "it counts as an attempt");
    world.bundler.take_program(false);
    world.scan_with(counts()).await;
    assert_eq!(world.bundler.take_calls(), ["models/deno.ts"]);
    assert_eq!(world.catalog.rows()[0].state.name(), StateName::Indexed);
}

/// Writes the row of a healthy source as another process would.
async fn degrade_elsewhere(world: &World, row: Row) {
    let degraded = Some(rows::failure("registry unreachable"));
    let row = Row { degraded, attempted: row.built.clone(), ..row };
    let change = Change {
        source: row.source.clone(),
        expected_revision: row.revision,
        write: Write::Put(Box::new(row)),
        transition: None,
    };
    world.catalog.commit(Commit { changes: vec![change], descriptions: Vec::new() }).await.expect("committed");
}

/// A commit between the look and the commit of a scan is of a catalog that nobody has concluded anything from.
#[tokio::test]
async fn what_others_commit_meanwhile_is_never_sealed() {
    let world = World::new();
    world.tree.write("models/good.ts", &model("@acme/good", ""));
    world.tree.write("models/bad.ts", &model("@acme/bad", "broken"));
    for is_planned in [true, false] {
        world.scan_with(counts()).await;
        world.scan_with(counts()).await;
        if is_planned {
            world.seals.forget();
        }
        let saves = world.seals.saves();
        let held = world.bundler.hold_next("models/bad.ts", None);
        let (scanner, request) = (std::sync::Arc::clone(&world.scanner), counts());
        let scan = tokio::spawn(async move { scanner.scan(&request).await });
        held.arrived().await;
        let good = world.catalog.rows().into_iter().find(|row| row.source.path.as_str() == "models/good.ts");
        degrade_elsewhere(&world, good.expect("the row")).await;
        held.release();
        scan.await.expect("no panic").expect("a scan");
        assert_eq!(world.seals.saves(), saves, "planned: {is_planned}");
        let report = world.scan_with(counts()).await;
        assert_eq!(report.changed.len(), 2, "planned: {is_planned}: what the other one left is tried as well");
    }
}

/// Sources are as they were when the seal was made, but to see it one of them was read: that is told, although the rows
/// or a bundle are no longer what the seal rests on, and everything is looked at.
#[tokio::test]
async fn what_it_cost_to_find_a_seal_broken_is_told() {
    for is_bundle_lost in [false, true] {
        let what = format!("a bundle is lost: {is_bundle_lost}");
        let mut pair = Pair::new();
        pair.change(|world| {
            world.tree.write("models/good.ts", &model("@acme/good", ""));
            world.tree.write("models/bad.ts", &model("@acme/bad", "broken"));
        });
        pair.scan(&what, &counts()).await;
        pair.change(|world| world.tree.write("models/good.ts", &model("@acme/good", "edited")));
        pair.scan(&what, &ScanRequest { retry: RetryMode::None, dry_run: true, ..counts() }).await;
        if is_bundle_lost {
            for world in [&pair.sealed, &pair.planned] {
                let rows = world.catalog.rows();
                let bundle = rows.iter().find_map(Row::bundle).expect("a bundle");
                world.store.remove(bundle.entry.key).await.expect("removed");
            }
        } else {
            pair.retry(&what, None).await;
        }
        pair.change(|world| world.tree.write("models/good.ts", &model("@acme/good", "")));
        pair.scan(&what, &counts()).await;
    }
}
