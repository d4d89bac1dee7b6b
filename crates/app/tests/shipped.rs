//! Bundles that extensions ship, over the whole pipeline: only where nothing says what an import means.

#[expect(dead_code, reason = "shared with the tests of scans")]
mod world;

use mangrove_domain::{
    failure::{FailureClass, Fault},
    ports::BundleStore as _,
    problem::Code,
    row::Row,
    state::StateName,
};
use mangrove_testkit::fakes::MemoryTree;
use world::{World, model, network_down};

const SOURCE: &str = "models/dns.ts";

fn unmapped() -> Fault {
    Fault::deterministic(Code::UNMAPPED_IMPORT, "specifier:zod", "nothing says what zod means")
}

/// A source that needs a package, and the bundle that its extension ships.
fn world() -> World {
    let world = World::new();
    world.tree.write(SOURCE, &source(""));
    ship(&world.tree, "first", "1");
    world.packages.fail(Some(unmapped()));
    world
}

fn source(more: &str) -> String {
    model("@acme/dns", &format!("import npm:x@1\n{more}\n"))
}

fn ship(tree: &MemoryTree, method: &str, pull: &str) {
    tree.ship(SOURCE, &model("@acme/dns", &format!("method {method}\n")), pull);
}

/// State, what it runs, and the code of its failure.
fn told(row: &Row) -> String {
    let what = if row.shipped_bundle().is_some() { "shipped" } else { "not shipped" };
    let failure = row.failure().map(|failure| format!(" {}", failure.code)).unwrap_or_default();
    format!("{} {what}{failure}", row.state.name())
}

async fn scanned(world: &World) -> String {
    let report = world.scan().await;
    let row = report.rows.iter().find(|row| row.source.path.as_str() == SOURCE).expect("a row");
    told(row)
}

/// The methods of the code that the row runs.
async fn runs(world: &World) -> Vec<String> {
    let index = world.scanner.load().await.expect("a catalog in memory");
    let row = index.rows().find(|row| row.source.path.as_str() == SOURCE).expect("a row");
    let bundle = row.bundle().expect("a bundle");
    let code = world.store.load(bundle).await.expect("what a row names is in the store").code;
    code.lines().filter_map(|line| line.strip_prefix("method ")).map(str::to_owned).collect()
}

#[tokio::test]
async fn a_shipped_bundle_is_taken_where_nothing_says_what_an_import_means() {
    let world = world();
    assert_eq!(scanned(&world).await, "Indexed shipped");
    assert_eq!(runs(&world).await, ["first"]);
    let warm = world.scan().await;
    assert_eq!((warm.statistics.built, warm.statistics.inspected), (0, 0));
    // A configuration appears: what is built wins.
    world.packages.fail(None);
    world.tree.configure("maps it");
    assert_eq!(scanned(&world).await, "Indexed not shipped");
    assert_eq!(world.scan().await.statistics.built, 0);
}

#[tokio::test]
async fn no_other_failure_takes_it() {
    for code in Code::ALL.iter().filter(|code| **code != Code::UNMAPPED_IMPORT) {
        for class in FailureClass::ALL {
            let world = world();
            world.packages.fail(Some(Fault { class, code: *code, ..unmapped() }));
            assert_eq!(scanned(&world).await, format!("BundleBuildFailed not shipped {code}"));
        }
    }
    let world = world();
    world.packages.fail(None);
    world.tree.write(SOURCE, &source("broken"));
    assert_eq!(scanned(&world).await, "BundleBuildFailed not shipped MG0201");
}

#[tokio::test]
async fn fault_05_replaced_sources_do_not_run_on_the_old_shipped_bundle() {
    let world = world();
    scanned(&world).await;
    world.tree.write(SOURCE, &source("changed"));
    for _ in 0..2 {
        assert_eq!(scanned(&world).await, "BundleBuildFailed not shipped MG0207");
    }
    // Not even if a pull says so and left the file behind.
    ship(&world.tree, "first", "2");
    assert_eq!(scanned(&world).await, "BundleBuildFailed not shipped MG0207");
    ship(&world.tree, "second", "2");
    assert_eq!(scanned(&world).await, "Indexed shipped");
    assert_eq!(runs(&world).await, ["second"]);
}

#[tokio::test]
async fn fault_05_an_exchanged_bundle_is_refused_until_somebody_pulls() {
    let world = world();
    scanned(&world).await;
    ship(&world.tree, "evil", "1");
    for _ in 0..2 {
        assert_eq!(scanned(&world).await, "Indexed shipped MG0421");
        assert_eq!(runs(&world).await, ["first"], "the accepted one works on");
    }
    ship(&world.tree, "first", "1");
    assert_eq!(scanned(&world).await, "Indexed shipped");
    ship(&world.tree, "second", "2");
    assert_eq!(scanned(&world).await, "Indexed shipped");
    assert_eq!(runs(&world).await, ["second"]);
    // What was accepted is lost: there is nothing that may run.
    ship(&world.tree, "evil", "2");
    for object in world.store.list().await.expect("a store in memory") {
        world.store.remove(object.key).await.expect("a store in memory");
    }
    assert_eq!(scanned(&world).await, "BundleBuildFailed not shipped MG0421");
    ship(&world.tree, "second", "2");
    assert_eq!(scanned(&world).await, "Indexed shipped");
}

#[tokio::test]
async fn a_lost_object_of_a_shipped_bundle_heals() {
    let world = world();
    scanned(&world).await;
    for object in world.store.list().await.expect("a store in memory") {
        world.store.remove(object.key).await.expect("a store in memory");
    }
    assert_eq!(scanned(&world).await, "Indexed shipped");
    assert_eq!(runs(&world).await, ["first"]);
}

#[tokio::test]
async fn what_cannot_be_used_leaves_the_failure_as_it_is_and_says_why() {
    let world = world();
    world.tree.ship_unusable(SOURCE, "a.js does not parse");
    let report = world.scan().await;
    assert_eq!(told(&report.rows[0]), "BundleBuildFailed not shipped MG0207");
    let message = report.rows[0].failure().expect("a failure").latest_message.clone();
    assert!(message.contains("what zod means") && message.contains("a.js does not parse"), "{message}");
}

#[tokio::test]
async fn a_shipped_bundle_is_judged_like_any_other() {
    let world = world();
    world.tree.ship(SOURCE, "type @acme/dns\nexport model\nreject\n", "1");
    let report = world.scan().await;
    assert_eq!(report.rows[0].state.name(), StateName::ValidationFailed);
    assert_eq!(world.scan().await.statistics.inspected, 0, "the same bytes would be rejected again");
    world.tree.ship(SOURCE, "type @acme/dns\nexport model\nthrow\n", "2");
    let report = world.scan().await;
    assert_eq!(report.rows[0].state.name(), StateName::BundleBuildFailed);
}

#[tokio::test]
async fn the_network_going_down_takes_no_shipped_bundle_away() {
    let world = world();
    scanned(&world).await;
    world.packages.fail(Some(network_down()));
    world.tree.configure("maps it");
    assert_eq!(scanned(&world).await, "Indexed shipped MG0301");
    world.packages.fail(None);
    assert_eq!(scanned(&world).await, "Indexed not shipped");
}

/// The file changes between the look and the build: nothing is stored of either.
#[tokio::test]
async fn a_bundle_that_moves_meanwhile_is_looked_at_again() {
    let world = world();
    world.tree.edit_during_next_build(&format!("shipped/{SOURCE}"), "type @acme/other\nexport model\n");
    let report = world.scan().await;
    assert!(report.rows.is_empty(), "{:?}", report.rows);
    assert!(report.problems.iter().any(|problem| problem.code == Code::SOURCE_MOVING), "{:?}", report.problems);
}
