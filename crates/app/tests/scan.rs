//! The pipeline over fakes: what becomes of rows when the world changes.

mod world;

use std::time::Duration;

use insta::assert_snapshot;
use mangrove_app::types::Types as _;
use mangrove_app::{
    doctor::{self, Examination, repair},
    retry,
    scan::{Ports, RetryMode, ScanRequest, Scanner},
    source_query::SourceQuery,
    upkeep::{self, Earlier, SourceInventory, Sweep},
};
use mangrove_domain::{
    plan::{Scope, Step},
    ports::{BundleStore as _, Catalog as _, NoBuildLocks},
    problem::Code,
    row::Row,
    source::Kind,
    time::Timestamp,
    type_name::TypeName,
};
use mangrove_testkit::fakes::MemoryTree;
use tokio_util::sync::CancellationToken;
use world::{World, model, network_down, render};

#[tokio::test]
async fn fault_01_a_transient_failure_is_retried_although_nothing_changed() {
    let mut world = World::new();
    world.tree.write("models/dns.ts", &model("@acme/dns", "import npm:undici@7"));
    world.packages.fail(Some(network_down()));
    assert_snapshot!(render(&world.scan().await), @"models/dns.ts BundleBuildFailed @acme/dns [Transient MG0301 x1]");
    assert_snapshot!(render(&world.scan().await), @"models/dns.ts BundleBuildFailed @acme/dns [Transient MG0301 x2]");
    world.restart();
    assert_snapshot!(render(&world.scan().await), @"models/dns.ts BundleBuildFailed @acme/dns [Transient MG0301 x3]");
    world.packages.fail(None);
    assert_snapshot!(render(&world.scan().await), @"models/dns.ts Indexed @acme/dns");
}

#[tokio::test]
async fn fault_01_the_first_request_after_the_outage_succeeds_without_a_scan() {
    let world = World::new();
    world.tree.write("models/dns.ts", &model("@acme/dns", "import npm:undici@7"));
    world.packages.fail(Some(network_down()));
    world.scan().await;
    let types = world.types();
    let (kind, name) = (Kind::new("model"), TypeName::stored("@acme/dns"));
    let refused = types.ready(&kind, &name).await.expect_err("the network is down");
    assert_eq!(refused.claimed_by.len(), 1, "fault 28: the failed row is named");
    assert_eq!(refused.failure.expect("its failure is told").attempts, 2);
    world.packages.fail(None);
    world.clock.advance(Duration::from_millis(250));
    let ready = types.ready(&kind, &name).await.expect("the network is back");
    assert_eq!(ready.description.methods.len(), 1);
}

#[tokio::test]
async fn fault_03_a_rejected_export_is_judged_again_when_its_source_changes() {
    let world = World::new();
    world.tree.write("models/a.ts", &model("@acme/a", "reject"));
    assert_snapshot!(render(&world.scan().await), @"models/a.ts ValidationFailed @acme/a");
    world.tree.write("models/a.ts", &model("@acme/a", "fixed"));
    assert_snapshot!(render(&world.scan().await), @"models/a.ts Indexed @acme/a");
}

#[tokio::test]
async fn a_rejected_export_is_a_cached_answer() {
    let mut world = World::new();
    world.tree.write("models/a.ts", &model("@acme/a", "reject"));
    world.scan().await;
    world.bundler.take_calls();
    world.inspector.take_calls();
    world.scan().await;
    world.restart();
    world.scan().await;
    assert_eq!(world.bundler.take_calls(), Vec::<String>::new());
    assert_eq!(world.inspector.take_calls(), Vec::<String>::new());
}

#[tokio::test]
async fn fault_04_a_failed_rebuild_keeps_the_old_inputs_beside_the_old_bundle() {
    let world = World::new();
    let good = model("@acme/a", "one");
    world.tree.write("models/a.ts", &good);
    let before = world.scan().await.rows[0].clone();
    world.tree.write("models/a.ts", &model("@acme/a", "broken"));
    let report = world.scan().await;
    assert_snapshot!(render(&report), @"models/a.ts Indexed @acme/a [Deterministic MG0201 x1] degraded");
    assert_eq!(report.rows[0].bundle(), before.bundle());
    assert_eq!(report.rows[0].built, before.built);
    world.tree.write("models/a.ts", &model("@acme/a", "two"));
    let after = world.scan().await;
    assert_snapshot!(render(&after), @"models/a.ts Indexed @acme/a");
    assert_ne!(after.rows[0].bundle(), before.bundle());
}

#[tokio::test]
async fn a_reverted_edit_clears_degraded_without_a_build() {
    let world = World::new();
    let good = model("@acme/a", "one");
    world.tree.write("models/a.ts", &good);
    world.scan().await;
    world.tree.write("models/a.ts", &model("@acme/a", "broken"));
    world.scan().await;
    world.bundler.take_calls();
    world.tree.write("models/a.ts", &good);
    assert_snapshot!(render(&world.scan().await), @"models/a.ts Indexed @acme/a");
    assert_eq!(world.bundler.take_calls(), Vec::<String>::new());
}

#[tokio::test]
async fn fault_08_a_file_without_a_known_export_is_no_row_and_never_stale() {
    let world = World::new();
    world.tree.write("models/helper.ts", "just a helper");
    assert_snapshot!(render(&world.scan().await), @"");
    let report = world.scan().await;
    assert_eq!((report.statistics.built, report.statistics.files_read), (0, 0));
}

#[tokio::test]
async fn fault_09_a_new_broken_file_is_recorded_on_the_warm_path() {
    let world = World::new();
    world.tree.write("models/a.ts", &model("@acme/a", ""));
    world.scan().await;
    world.tree.write("models/b.ts", &model("@acme/b", "broken"));
    assert_snapshot!(render(&world.scan().await), @r"
    models/a.ts Indexed @acme/a
    models/b.ts BundleBuildFailed @acme/b [Deterministic MG0201 x1]
    ");
}

#[tokio::test]
async fn fault_10_a_bundle_that_is_gone_is_built_again() {
    let world = World::new();
    world.tree.write("models/a.ts", &model("@acme/a", ""));
    let before = world.scan().await.rows[0].clone();
    let key = before.bundle().expect("it is indexed").entry.key;
    world.store.remove(key).await.expect("it is there");
    world.bundler.take_calls();
    let after = world.scan().await;
    assert_snapshot!(render(&after), @"models/a.ts Indexed @acme/a");
    assert_eq!(world.bundler.take_calls(), ["models/a.ts"]);
    assert_eq!(after.rows[0].bundle(), before.bundle());
}

#[tokio::test]
async fn fault_11_nothing_is_built_twice_by_the_next_scan_or_the_next_process() {
    let mut world = World::new();
    for name in ["a", "b", "c"] {
        world.tree.write(&format!("models/{name}.ts"), &model(&format!("@acme/{name}"), "import npm:zod@4"));
    }
    assert_eq!(world.scan().await.statistics.built, 3);
    assert_eq!(world.scan().await.statistics.built, 0, "the lock of the first build made no difference");
    world.restart();
    assert_eq!(world.scan().await.statistics.built, 0);
}

#[tokio::test]
async fn an_edited_shared_file_rebuilds_its_dependents_and_nothing_else() {
    let world = World::new();
    world.tree.write("lib/shared.ts", "one");
    world.tree.write("models/a.ts", &model("@acme/a", "import lib/shared.ts"));
    world.tree.write("models/b.ts", &model("@acme/b", ""));
    world.scan().await;
    world.bundler.take_calls();
    world.tree.write("lib/shared.ts", "two");
    world.scan().await;
    assert_eq!(world.bundler.take_calls(), ["models/a.ts"]);
}

#[tokio::test]
async fn fault_07_configuration_and_bundler_changes_rebuild() {
    let world = World::new();
    world.tree.write("models/a.ts", &model("@acme/a", ""));
    world.scan().await;
    world.bundler.take_calls();
    world.tree.configure("{\"imports\": {}}");
    world.scan().await;
    assert_eq!(world.bundler.take_calls(), ["models/a.ts"]);
    world.bundler.upgrade();
    world.scan().await;
    assert_eq!(world.bundler.take_calls(), ["models/a.ts"]);
}

#[tokio::test]
async fn an_edit_between_look_and_build_voids_the_build_and_is_looked_at_again() {
    let world = World::new();
    world.tree.write("models/a.ts", &model("@acme/a", "one"));
    let edited = model("@acme/a", "two");
    world.tree.edit_during_next_build("models/a.ts", &edited);
    let report = world.scan().await;
    assert_snapshot!(render(&report), @"models/a.ts Indexed @acme/a");
    let bundle = report.rows[0].bundle().expect("it is indexed");
    let loaded = world.store.load(bundle).await.expect("it is stored");
    assert!(loaded.code.contains("two"));
}

#[tokio::test]
async fn fault_13_two_files_that_claim_one_type_do_not_depend_on_history() {
    let world = World::new();
    world.tree.write("models/b.ts", &model("@acme/a", ""));
    world.scan().await;
    world.tree.write("models/a.ts", &model("@acme/a", ""));
    world.tree.write("models/other.ts", &model("@acme/other", ""));
    let report = world.scan().await;
    assert_snapshot!(render(&report), @r"
    models/a.ts Indexed @acme/a
    models/b.ts Indexed @acme/a shadowed by models/a.ts
    models/other.ts Indexed @acme/other
    ");
    assert_eq!(report.problems.len(), 1, "the conflict is reported");
    world.tree.remove("models/a.ts");
    assert_snapshot!(render(&world.scan().await), @r"
    models/b.ts Indexed @acme/a
    models/other.ts Indexed @acme/other
    ");
}

#[tokio::test]
async fn fault_28_an_unknown_type_names_what_claims_it_or_what_is_near() {
    let world = World::new();
    world.tree.write("models/dns.ts", &model("@acme/dns", "broken"));
    world.tree.write("models/zone.ts", &model("@acme/zone", ""));
    world.scan().await;
    let types = world.types();
    let kind = Kind::new("model");
    let failed = types.ready(&kind, &TypeName::stored("@acme/dns")).await.expect_err("it is broken");
    assert_eq!(failed.claimed_by[0].source.to_string(), "models/dns.ts");
    let unknown = types.ready(&kind, &TypeName::stored("@acme/zones")).await.expect_err("it does not exist");
    assert!(unknown.claimed_by.is_empty());
    assert_eq!(unknown.nearest[0].1.as_str(), "@acme/zone");
}

#[tokio::test]
async fn simultaneous_requests_for_one_type_share_one_attempt() {
    let world = World::new();
    world.tree.write("models/a.ts", &model("@acme/a", ""));
    world.tree.write("models/b.ts", &model("@acme/b", ""));
    let types = world.types();
    let (kind, name) = (Kind::new("model"), TypeName::stored("@acme/a"));
    let requests = (0..20).map(|_| types.ready(&kind, &name));
    let answers = futures::future::join_all(requests).await;
    assert!(answers.iter().all(Result::is_ok));
    assert_eq!(world.bundler.take_calls(), ["models/a.ts"], "and nothing that was not asked for");
}

#[tokio::test]
async fn a_dry_run_plans_and_writes_nothing() {
    let world = World::new();
    world.tree.write("models/a.ts", &model("@acme/a", ""));
    let report = world.scan_with(ScanRequest { dry_run: true, ..ScanRequest::default() }).await;
    assert_eq!(report.steps.len(), 1);
    assert_eq!(report.steps[0].verdict.name(), "New");
    assert!(world.catalog.snapshot().await.expect("a fake").rows.is_empty());
    assert_eq!(world.bundler.take_calls(), Vec::<String>::new());
}

#[tokio::test]
async fn a_deleted_source_leaves_and_its_history_stays() {
    let world = World::new();
    world.tree.write("models/a.ts", &model("@acme/a", ""));
    let source = world.scan().await.rows[0].source.clone();
    world.tree.remove("models/a.ts");
    assert_snapshot!(render(&world.scan().await), @"");
    let history = world.catalog.transitions(&source).await.expect("a fake");
    let states: Vec<String> = history.iter().map(|record| record.transition.to.to_string()).collect();
    assert_eq!(states, ["Indexed", "Tombstoned"]);
}

#[tokio::test]
async fn the_outcome_does_not_depend_on_history_or_parallel_builds() {
    let texts = [
        ("lib/shared.ts", "one".to_owned()),
        ("models/a.ts", model("@acme/a", "import lib/shared.ts")),
        ("models/b.ts", model("@acme/b", "reject")),
        ("models/c.ts", model("@acme/a", "")),
        ("models/d.ts", model("@acme/d", "broken")),
        ("models/e.ts", model("@acme/e", "throw")),
    ];
    let mut outcomes = Vec::new();
    for jobs in [1, 8] {
        let mut world = World::with_jobs(jobs);
        for (path, text) in &texts {
            world.tree.write(path, text);
            world.scan().await;
        }
        world.lose_catalog();
        outcomes.push(render(&world.scan().await));
    }
    assert_eq!(outcomes[0], outcomes[1]);
    assert_snapshot!(outcomes[0], @r"
    models/a.ts Indexed @acme/a
    models/b.ts ValidationFailed @acme/b
    models/c.ts Indexed @acme/a shadowed by models/a.ts
    models/d.ts BundleBuildFailed @acme/d [Deterministic MG0201 x1]
    models/e.ts BundleBuildFailed @acme/e [Deterministic MG0220 x1]
    ");
}

#[tokio::test]
async fn fault_37_a_timer_waits_and_a_scan_does_not() {
    let world = World::new();
    world.tree.write("models/a.ts", &model("@acme/a", "import npm:x@1"));
    world.packages.fail(Some(network_down()));
    world.scan().await;
    let due = ScanRequest { retry: RetryMode::Due, ..ScanRequest::default() };
    world.clock.advance(std::time::Duration::from_mins(2));
    let report = world.scan_with(due.clone()).await;
    assert_eq!(report.statistics.built, 1, "the time has come");
    let next = report.rows[0].failure().and_then(|failure| failure.next_retry).expect("a timer runs");
    assert!(next <= world.now().plus(std::time::Duration::from_mins(1)));
    assert_eq!(world.scan().await.statistics.built, 1, "a scan tries every failed build");
}

#[tokio::test]
async fn fault_29_a_throwing_module_is_evaluated_once_per_attempt() {
    let world = World::new();
    world.tree.write("models/a.ts", &model("@acme/a", "throw"));
    world.scan().await;
    assert_eq!(world.inspector.take_calls(), ["models/a.ts"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_types_asked_for_at_once_do_not_undo_each_other() {
    let world = World::new();
    let names: Vec<String> = (0..24).map(|index| format!("@acme/t{index}")).collect();
    let types = world.types();
    let kind = Kind::new("model");
    for round in ["one", "two"] {
        world.clock.advance(Duration::from_secs(1));
        for (index, name) in names.iter().enumerate() {
            world.tree.write(&format!("models/t{index}.ts"), &model(name, round));
        }
        let requests = names.iter().map(|name| {
            let name = TypeName::stored(name.as_str());
            let (types, kind) = (&types, &kind);
            async move { types.ready(kind, &name).await }
        });
        for (name, answer) in names.iter().zip(futures::future::join_all(requests).await) {
            let ready = answer.unwrap_or_else(|refused| panic!("{round}: {name}: {refused:?}"));
            assert!(ready.bundle.code.contains(round), "{name} runs old code in round {round}");
        }
    }
    let index = world.scanner.load().await.expect("a fake");
    assert_eq!(index.rows().count(), 24);
}

#[tokio::test]
async fn a_source_that_never_rests_is_a_problem_and_the_rest_is_settled() {
    let world = World::new();
    world.tree.write("models/a.ts", &model("@acme/a", ""));
    world.tree.write("models/b.ts", &model("@acme/b", ""));
    world.tree.edit_during_each_build("models/b.ts", &model("@acme/b", "round"));
    let report = world.scan().await;
    assert_snapshot!(render(&report), @"models/a.ts Indexed @acme/a");
    let told: Vec<String> =
        report.problems.iter().map(|problem| format!("{} {}", problem.code, problem.subject)).collect();
    assert_eq!(told, ["MG0414 models/b.ts"]);
}

#[tokio::test]
async fn a_request_looks_once_and_a_ready_type_is_not_looked_at_again_at_once() {
    let world = World::new();
    world.tree.write("models/a.ts", &model("@acme/a", ""));
    let types = world.types();
    let (kind, name) = (Kind::new("model"), TypeName::stored("@acme/a"));
    types.ready(&kind, &name).await.expect("it builds");
    assert_eq!(world.tree.take_surveys(), 1);
    for _ in 0..5 {
        types.ready(&kind, &name).await.expect("it is ready");
    }
    assert_eq!(world.tree.take_surveys(), 0);
    world.clock.advance(Duration::from_secs(1));
    types.ready(&kind, &name).await.expect("it is ready");
    assert_eq!(world.tree.take_surveys(), 1);
}

#[tokio::test]
async fn a_failed_type_is_tried_every_250_ms_at_most() {
    let world = World::new();
    world.tree.write("models/dns.ts", &model("@acme/dns", "import npm:undici@7"));
    world.packages.fail(Some(network_down()));
    let types = world.types();
    let (kind, name) = (Kind::new("model"), TypeName::stored("@acme/dns"));
    let attempts = async || types.ready(&kind, &name).await.expect_err("no network").failure.expect("told").attempts;
    assert_eq!((attempts().await, attempts().await), (1, 1));
    world.clock.advance(Duration::from_millis(250));
    assert_eq!(attempts().await, 2);
}

#[tokio::test]
async fn an_unknown_name_does_not_build_what_fails_of_itself() {
    let world = World::new();
    world.tree.write("models/computed.ts", "export model\nthrow");
    world.scan().await;
    world.bundler.take_calls();
    world.inspector.take_calls();
    let types = world.types();
    types.ready(&Kind::new("model"), &TypeName::stored("@acme/nowhere")).await.expect_err("unknown");
    assert_eq!(world.inspector.take_calls(), Vec::<String>::new());
}

#[tokio::test]
async fn a_retry_is_about_what_failed_and_nothing_else() {
    let world = World::new();
    world.tree.write("models/a.ts", &model("@acme/a", ""));
    world.tree.write("models/dns.ts", &model("@acme/dns", "import npm:undici@7"));
    world.packages.fail(Some(network_down()));
    world.scan().await;
    world.tree.write("models/a.ts", &model("@acme/a", "edited"));
    world.bundler.take_calls();
    let still = retry::retry(&world.scanner, None, &ScanRequest::default()).await.expect("a fake");
    assert_eq!(still.unhealthy().count(), 1);
    world.packages.fail(None);
    let healed = retry::retry(&world.scanner, Some(&SourceQuery::new("@acme/dns", [])), &ScanRequest::default())
        .await
        .expect("a fake");
    assert_eq!(healed.unhealthy().count(), 0);
    assert_eq!(world.bundler.take_calls(), ["models/dns.ts"]);
    let unknown = retry::retry(&world.scanner, Some(&SourceQuery::new("@acme/dnss", [])), &ScanRequest::default())
        .await
        .expect("a fake");
    assert!(unknown.sources.is_empty());
    assert!(unknown.nearest.expect("a name is near").contains("@acme/dns"));
}

#[tokio::test]
async fn a_cancelled_scan_loses_nothing_and_the_next_one_goes_on() {
    let world = World::new();
    world.tree.write("models/a.ts", &model("@acme/a", ""));
    world.scan().await;
    world.tree.write("models/b.ts", &model("@acme/b", ""));
    let token = CancellationToken::new();
    token.cancel();
    let report = world.scan_with(ScanRequest { cancellation: token.clone(), ..ScanRequest::default() }).await;
    assert!(report.is_cancelled);
    let report = world.scan().await;
    assert!(!report.is_cancelled);
    assert_snapshot!(render(&report), @r"
    models/a.ts Indexed @acme/a
    models/b.ts Indexed @acme/b
    ");
}

#[tokio::test]
async fn an_entry_whose_bundler_resolves_packages_itself_needs_none_prepared() {
    let world = World::new();
    world.tree.write("models/path.ts", &model("@acme/path", "import jsr:@std/path@1"));
    world.packages.fail(Some(network_down()));
    assert_snapshot!(render(&world.scan().await), @"models/path.ts Indexed @acme/path");
    let rows = world.catalog.snapshot().await.expect("the catalog").rows;
    let lines = rows[0].built.as_ref().expect("it is built").packages.lines().expect("lines");
    assert_eq!(lines[0].value, "by the bundler", "its packages part is the bundler's");
    world.bundler.take_calls();
    world.scan().await;
    assert_eq!(world.bundler.take_calls(), [""; 0], "it is fresh");
}

#[tokio::test]
async fn fault_46_a_bundler_that_is_unavailable_counts_as_unchanged() {
    let mut world = World::new();
    world.tree.write("models/path.ts", &model("@acme/path", "import jsr:@std/path@1"));
    world.scan().await;
    world.bundler.take_calls();
    world.bundler.take_program(true);
    world.restart();
    assert_snapshot!(render(&world.scan().await), @"models/path.ts Indexed @acme/path");
    world.bundler.take_program(false);
    world.scan().await;
    assert_eq!(world.bundler.take_calls(), [""; 0], "neither its absence nor its return is a change");
    world.bundler.upgrade();
    world.scan().await;
    assert_eq!(world.bundler.take_calls(), ["models/path.ts"], "another version is");
}

#[tokio::test]
async fn a_source_that_lacks_its_program_fails_until_the_program_is_there() {
    let mut world = World::new();
    world.tree.write("models/path.ts", &model("@acme/path", "import jsr:@std/path@1"));
    world.bundler.take_program(true);
    assert_snapshot!(render(&world.scan().await), @"models/path.ts BundleBuildFailed @acme/path [Environment MG0230 x1]");
    world.restart();
    assert_snapshot!(render(&world.scan().await), @"models/path.ts BundleBuildFailed @acme/path [Environment MG0230 x2]");
    world.bundler.take_program(false);
    let (kind, name) = (Kind::new("model"), TypeName::stored("@acme/path"));
    world.types().ready(&kind, &name).await.expect("the first request after the program came succeeds");
}

/// A scanned model whose first bundle nothing needs any more, and which is old.
async fn world_with_an_old_bundle() -> World {
    let world = World::new();
    world.tree.write("models/a.ts", &model("@acme/a", "first"));
    world.scan().await;
    world.tree.write("models/a.ts", &model("@acme/a", "second"));
    world.scan().await;
    // Its time is that of the system: the store of the fake notes when something is put.
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a time after 1970");
    world.clock.set(Timestamp::from_millis(i64::try_from(now.as_millis()).expect("a time of today")));
    world.clock.advance(std::time::Duration::from_hours(25));
    world
}

async fn objects(world: &World) -> usize {
    world.store.list().await.expect("a listing").len()
}

async fn sweep(world: &World, is_dry_run: bool) -> Result<Sweep, mangrove_app::scan::Error> {
    let look = SourceInventory::take(&world.scanner).await?;
    upkeep::sweep(&world.scanner, &look, is_dry_run).await
}

#[tokio::test]
async fn what_no_row_needs_is_swept_when_it_is_old() {
    let world = world_with_an_old_bundle().await;
    assert_eq!(objects(&world).await, 2);
    for (is_dry_run, left) in [(true, 2), (false, 1)] {
        let swept = sweep(&world, is_dry_run).await.expect("swept");
        assert!(matches!(&swept, Sweep::Done(outcome) if outcome.objects.len() == 1), "{swept:?}");
        assert_eq!(objects(&world).await, left);
    }
    let report = world.scan().await;
    assert_eq!(report.statistics.built, 0, "what is needed stayed");
}

#[tokio::test]
async fn nothing_is_swept_by_a_catalog_that_does_not_know_every_source() {
    let mut world = world_with_an_old_bundle().await;
    world.tree.write("models/b.ts", &model("@acme/b", ""));
    let never_scanned = sweep(&world, false).await.expect("an answer");
    assert!(matches!(&never_scanned, Sweep::Withheld(why) if why[0].code == Code::SWEEP_WITHHELD), "{never_scanned:?}");
    world.tree.remove("models/b.ts");

    let row = world.catalog.rows()[0].source.clone();
    world.catalog.damage(&row);
    let unreadable = sweep(&world, false).await.expect("an answer");
    assert!(matches!(&unreadable, Sweep::Withheld(why) if why[0].code == Code::CATALOG_ROW), "{unreadable:?}");

    world.lose_catalog();
    let lost = sweep(&world, false).await.expect("an answer");
    assert!(matches!(&lost, Sweep::Withheld(why) if why[0].code == Code::SWEEP_WITHHELD), "{lost:?}");
    assert_eq!(objects(&world).await, 2);
}

#[tokio::test]
async fn a_new_catalog_keeps_the_earlier_bundles_of_degraded_rows() {
    let mut world = World::new();
    for name in ["a", "b", "c"] {
        world.tree.write(&format!("models/{name}.ts"), &model(&format!("@acme/{name}"), "one"));
    }
    world.scan().await;
    for name in ["a", "b"] {
        world.tree.write(&format!("models/{name}.ts"), &model(&format!("@acme/{name}"), "broken"));
    }
    world.scan().await;
    let degraded = row(&world, "models/a.ts");
    world.store.damage(row(&world, "models/b.ts").bundle().expect("it has one").entry.key, b"other bytes");
    let earlier = Earlier::of(world.catalog.as_ref()).await.expect("a catalog");

    world.lose_catalog();
    let kept = upkeep::take_over(&world.scanner, earlier.clone()).await.expect("taken over");
    assert_eq!(
        kept,
        std::slice::from_ref(&degraded.source),
        "what is healthy is found by the scan, what is damaged is not kept"
    );
    assert_snapshot!(render(&world.scan().await), @r"
    models/a.ts Indexed @acme/a [Deterministic MG0201 x2] degraded
    models/b.ts BundleBuildFailed @acme/b [Deterministic MG0201 x1]
    models/c.ts Indexed @acme/c
    ");
    assert_eq!(row(&world, "models/a.ts").bundle(), degraded.bundle());
    let late = upkeep::take_over(&world.scanner, earlier).await.expect("an answer");
    assert_eq!(late, [], "a catalog that knows the source already is not overwritten");
}

#[tokio::test]
async fn a_rejected_export_is_told_with_its_line() {
    let world = World::new();
    world.tree.write("models/a.ts", "type @acme/a\nreject\nexport model\n");
    let report = world.scan().await;
    let told = mangrove_app::health::problem(&report.rows[0]).expect("it is rejected").message;
    assert_eq!(told, "type: expected a string, found boolean (export in line 3)");
}

fn row(world: &World, path: &str) -> Row {
    let rows = world.catalog.rows();
    rows.into_iter().find(|row| row.source.path.as_str() == path).unwrap_or_else(|| panic!("no row of {path}"))
}

#[tokio::test]
async fn a_repair_touches_no_healthy_row_and_is_done_once() {
    let world = World::new();
    world.tree.write("models/a.ts", &model("@acme/a", ""));
    world.tree.write("models/b.ts", &model("@acme/b", ""));
    world.tree.write("models/failed.ts", &model("@acme/failed", "broken"));
    world.tree.write("models/edited.ts", &model("@acme/edited", ""));
    world.scan().await;
    world.tree.write("models/edited.ts", &model("@acme/edited", "another line"));
    let before: Vec<Row> =
        ["models/failed.ts", "models/edited.ts", "models/b.ts"].map(|path| row(&world, path)).to_vec();
    world.store.damage(row(&world, "models/a.ts").bundle().expect("it has one").entry.key, b"other bytes");

    world.tree.take_surveys();
    let diagnosis = doctor::diagnose(&world.scanner, Examination::default()).await;
    assert_eq!(diagnosis.damaged.len(), 1);
    let proposed = repair::propose(&world.scanner, &diagnosis).await.expect("a proposal");
    assert_eq!(world.tree.take_surveys(), 1, "diagnosis and proposal are told from one look");
    let commits = world.catalog.commits();
    let repaired = repair::apply(&world.scanner, &ScanRequest::default()).await.expect("a repair");
    let names = |steps: &[Step]| -> Vec<String> {
        steps.iter().map(|step| format!("{} {}", step.action.name(), step.source)).collect()
    };
    assert_eq!(names(&proposed.steps), ["build models/a.ts"]);
    assert_eq!(names(&repaired.repair.steps), names(&proposed.steps));
    assert_eq!(world.catalog.commits(), commits + 1);
    assert_eq!(world.tree.take_surveys(), 1, "and so is a repair with its sweep");
    let after: Vec<Row> =
        ["models/failed.ts", "models/edited.ts", "models/b.ts"].map(|path| row(&world, path)).to_vec();
    assert_eq!(after, before, "revisions and all");

    let again = repair::apply(&world.scanner, &ScanRequest::default()).await.expect("a repair");
    assert!(again.repair.is_empty(), "{:?}", again.repair);
    assert_eq!(world.catalog.commits(), commits + 1, "nothing was written");
    let diagnosis = doctor::diagnose(&world.scanner, Examination::default()).await;
    assert!(diagnosis.damaged.is_empty());
}

/// Lets other tasks work until the catalog has applied this many commits.
async fn committed(world: &World, commits: usize) {
    while world.catalog.commits() < commits {
        tokio::task::yield_now().await;
    }
}

/// As many models as fill a batch, edited: a scan of them commits while it still builds something else.
fn edit_a_batch(world: &World, line: &str) {
    for index in 0..256 {
        world.tree.write(&format!("models/many{index}.ts"), &model(&format!("@acme/many{index}"), line));
    }
}

#[tokio::test]
async fn a_failure_never_overwrites_what_another_scan_of_the_process_achieved() {
    let mut world = World::with_jobs(8);
    // With locks, the quick scan would wait for the slow one.
    let ports = Ports { locks: std::sync::Arc::new(NoBuildLocks), ..world.scanner.ports().clone() };
    world.scanner = std::sync::Arc::new(Scanner::new(ports, world.scanner.loaders().clone(), 8));
    world.tree.write("models/x.ts", &model("@acme/x", "one"));
    edit_a_batch(&world, "one");
    world.scan().await;
    let x = row(&world, "models/x.ts");
    world.tree.write("models/x.ts", &model("@acme/x", "two"));
    edit_a_batch(&world, "two");
    let held_x = world.bundler.hold_next("models/x.ts", Some(network_down()));
    let held_other = world.bundler.hold_next("models/many7.ts", None);

    let slow = tokio::spawn({
        let scanner = std::sync::Arc::clone(&world.scanner);
        async move { scanner.scan(&ScanRequest::default()).await }
    });
    held_x.arrived().await;
    held_other.arrived().await;
    let scope = Scope::Sources([x.source.clone()].into());
    let quick = world.scan_with(ScanRequest { scope, ..ScanRequest::default() }).await;
    assert!(quick.changed.contains(&x.source));
    let achieved = row(&world, "models/x.ts");
    assert_ne!(achieved.built, x.built, "the quick scan built the edited source");

    // The slow scan commits a batch on top of that, and only then learns that its own build of it failed.
    let commits = world.catalog.commits();
    held_other.release();
    committed(&world, commits + 1).await;
    held_x.release();
    let report = slow.await.expect("it ends").expect("a scan over fakes cannot fail");

    assert_eq!(row(&world, "models/x.ts"), achieved, "revision and all");
    let told = report.rows.iter().find(|row| row.source == x.source).expect("it is there");
    assert_eq!(**told, achieved);
    let kind = Kind::new("model");
    let index = world.scanner.index();
    let published = index.resolve(&kind, &TypeName::stored("@acme/x")).expect("it resolves");
    assert!(published.failure().is_none());
}

#[tokio::test]
async fn what_a_scan_found_out_of_a_row_that_is_gone_meanwhile_is_found_out_again() {
    let world = World::with_jobs(8);
    world.tree.write("models/x.ts", &model("@acme/x", "one"));
    edit_a_batch(&world, "one");
    world.scan().await;
    let x = row(&world, "models/x.ts").source;
    world.tree.write("models/x.ts", &model("@acme/x", "two"));
    edit_a_batch(&world, "two");
    let held_x = world.bundler.hold_next("models/x.ts", None);
    let held_other = world.bundler.hold_next("models/many7.ts", None);
    let slow = tokio::spawn({
        let scanner = std::sync::Arc::clone(&world.scanner);
        async move { scanner.scan(&ScanRequest::default()).await }
    });
    held_x.arrived().await;
    held_other.arrived().await;
    world.tree.remove("models/x.ts");
    world.scan_with(ScanRequest { scope: Scope::Sources([x.clone()].into()), ..ScanRequest::default() }).await;
    let commits = world.catalog.commits();
    held_other.release();
    committed(&world, commits + 1).await;
    held_x.release();
    let report = slow.await.expect("it ends").expect("a scan over fakes cannot fail");
    assert!(report.rows.iter().all(|row| row.source != x), "it is not brought back");
    assert!(world.catalog.rows().iter().all(|row| row.source != x));
}

#[tokio::test]
async fn what_the_catalog_refuses_is_not_published() {
    let world = World::new();
    world.tree.write("models/x.ts", &model("@acme/x", "one"));
    world.scan().await;
    let x = row(&world, "models/x.ts").source;
    world.tree.write("models/x.ts", MemoryTree::UNREADABLE);
    world.tree.write("models/y.ts", &model("@acme/y", ""));
    let held = world.bundler.hold_next("models/y.ts", None);
    let token = CancellationToken::new();
    let slow = tokio::spawn({
        let scanner = std::sync::Arc::clone(&world.scanner);
        let request = ScanRequest { cancellation: token.clone(), ..ScanRequest::default() };
        async move { scanner.scan(&request).await }
    });
    // Then that `x` is unreadable is settled, and not yet committed.
    held.arrived().await;
    // Another process, whose commits this one hears of only when its own are refused.
    world.tree.write("models/x.ts", &model("@acme/x", "two"));
    let scope = Scope::Sources([x.clone()].into());
    let other = world.another_process();
    other.scan(&ScanRequest { scope, ..ScanRequest::default() }).await.expect("a scan over fakes cannot fail");
    let achieved = row(&world, "models/x.ts");
    token.cancel();
    let report = slow.await.expect("it ends").expect("a scan over fakes cannot fail");
    assert!(report.is_cancelled, "or else it had looked again");
    assert_eq!(report.rows.iter().map(|row| (**row).clone()).collect::<Vec<_>>(), [achieved]);
    let index = world.scanner.index();
    let published = index.resolve(&Kind::new("model"), &TypeName::stored("@acme/x")).expect("it resolves");
    assert!(published.failure().is_none());
}
