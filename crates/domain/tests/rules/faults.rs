//! Numbered faults that other systems have had, played through in a small world.

use mangrove_domain::{
    plan::{Action, Retry},
    problem::Code,
    settle::{Moment, Outcome, Settled, settle},
    state::StateName,
    type_name::TypeName,
};

use crate::{
    notation::{NOW, bundle_of, inputs, look, row, row_text},
    world::{Content, World, good},
};

/// A transient build failure pinned: unchanged source, failed row, never retried; even a restart does not help.
#[test]
fn fault_01_a_failed_build_is_tried_at_every_scan_until_it_works() {
    let mut world = World::new([("a.ts", Content::Good(0))]);
    world.network = false;
    for _ in 0..3 {
        world.scan(Retry::All);
        assert_eq!(world.state("a.ts"), StateName::BundleBuildFailed);
        assert_eq!(world.attempts.len(), 1);
    }
    assert_eq!(world.row("a.ts").failure().map(|failure| failure.attempts), Some(3));
    world.network = true;
    world.scan(Retry::All);
    assert_eq!(world.state("a.ts"), StateName::Indexed);
}

/// The same in a running daemon: no restart and no command, only its timer.
#[test]
fn fault_01_a_failed_build_is_tried_when_its_timer_says_so() {
    let mut world = World::new([("a.ts", Content::Good(0))]);
    world.network = false;
    world.scan(Retry::All);
    let plan = world.scan(Retry::due(world.now));
    let Action::Defer { until: Some(until) } = plan.steps[0].action else { panic!("{:?}", plan.steps) };
    assert!(until > world.now);
    (world.network, world.now) = (true, until);
    world.scan(Retry::due(world.now));
    assert_eq!(world.state("a.ts"), StateName::Indexed);
}

/// A rejected export pinned although the source was fixed.
#[test]
fn fault_03_a_rejected_export_is_looked_at_again_when_it_changes() {
    let mut world = World::new([("a.ts", Content::Rejected)]);
    world.scan(Retry::All);
    assert_eq!(world.state("a.ts"), StateName::ValidationFailed);
    world.scan(Retry::All);
    assert!(world.attempts.is_empty(), "the same bytes would be rejected again");
    world.network = false;
    world.files.insert("a.ts".to_owned(), Content::Good(0));
    world.scan(Retry::All);
    assert_eq!(world.state("a.ts"), StateName::BundleBuildFailed);
    assert!(!world.row("a.ts").rejected_before.is_empty());
    world.network = true;
    world.scan(Retry::All);
    assert_eq!(world.state("a.ts"), StateName::Indexed);
    assert!(world.row("a.ts").rejected_before.is_empty());
}

/// A new fingerprint stored next to an old bundle after a failed rebuild: the old code runs for ever.
#[test]
fn fault_04_failed_rebuild_keeps_old_inputs() {
    let mut world = World::new([("a.ts", Content::Good(0))]);
    world.scan(Retry::All);
    world.network = false;
    world.files.insert("a.ts".to_owned(), Content::Good(1));
    world.scan(Retry::All);
    let row = world.row("a.ts");
    assert_eq!(row.state.name(), StateName::Indexed);
    assert_eq!(row.built.as_ref(), Some(&good(0)));
    assert_eq!(row.attempted.as_ref(), Some(&good(1)));
    assert_eq!(row.bundle(), Some(&bundle_of(&good(0))));
    assert_eq!(row.degraded.as_ref().map(|failure| failure.code), Some(Code::REGISTRY_UNREACHABLE));
    world.network = true;
    world.scan(Retry::All);
    assert_eq!(world.row("a.ts").built.as_ref(), Some(&good(1)));
    assert_eq!(world.row("a.ts").bundle(), Some(&bundle_of(&good(1))));
    assert_eq!(world.row("a.ts").degraded, None);
}

/// A new broken file is not recorded at all on the warm path: invisible, and rebuilt by every command.
#[test]
fn fault_09_a_new_broken_file_gets_a_row() {
    let mut world = World::new([("a.ts", Content::Good(0))]);
    world.scan(Retry::All);
    world.files.insert("b.ts".to_owned(), Content::SyntaxError);
    world.scan(Retry::due(world.now));
    assert_eq!(world.state("b.ts"), StateName::BundleBuildFailed);
    world.scan(Retry::due(world.now));
    assert!(world.attempts.is_empty());
    assert_eq!(world.state("a.ts"), StateName::Indexed);
}

/// A truncated bundle never heals: only a missing one does.
#[test]
fn fault_10_a_bundle_of_another_size_is_rebuilt() {
    let look = look("s1 bundle=truncated");
    let verdict = mangrove_domain::freshness::decide(
        &look.observation,
        row("Indexed").as_ref(),
        look.presence,
        look.rule_version,
    );
    assert_eq!(verdict.name(), "BundleCorrupt");
}

/// Two files claim one type, and an unrelated save deletes one of them.
#[test]
fn fault_13_both_claimants_stay_and_nothing_depends_on_who_came_first() {
    let mut world = World::new([("a.ts", Content::Good(0)), ("z.ts", Content::Good(0))]);
    world.scan(Retry::All);
    assert!(world.row("z.ts").is_resolvable());
    world.files.insert("y.ts".to_owned(), Content::Good(0));
    world.scan(Retry::All);
    assert!(world.row("y.ts").is_resolvable());
    world.files.insert("a.ts".to_owned(), Content::Good(1));
    world.scan(Retry::All);
    assert_eq!(world.state("z.ts"), StateName::Indexed);
    assert_eq!(world.row("z.ts").shadowed_by, Some(world.row("y.ts").source.clone()));
    world.files.insert("y.ts".to_owned(), Content::Absent);
    world.scan(Retry::All);
    assert!(world.row("z.ts").is_resolvable());
}

/// Warnings about broken bundles of files that no longer exist.
#[test]
fn fault_22_a_deleted_source_leaves_nothing_behind() {
    let mut world = World::new([("a.ts", Content::SyntaxError), ("b.ts", Content::Good(0))]);
    world.scan(Retry::All);
    world.files.insert("a.ts".to_owned(), Content::Absent);
    world.files.insert("b.ts".to_owned(), Content::Helper);
    world.scan(Retry::All);
    assert!(world.rows.is_empty());
    let reasons: Vec<&str> = world.audit.iter().rev().take(2).map(|(_, line)| line.reason.as_str()).collect();
    assert_eq!(reasons, ["the file exists, but no longer exports what its kind requires", "the source was deleted"]);
}

/// Rules that moved on are no doing of the author: the type stays, and says so, until one of both moves.
#[test]
fn fault_12_an_upgrade_of_ours_takes_no_type_away() {
    for upgrades_bundler in [false, true] {
        let mut world = World::new([("a.ts", Content::RejectedLater)]);
        world.scan(Retry::All);
        world.rules += 1;
        world.bundler += u8::from(upgrades_bundler);
        world.scan(Retry::All);
        let row = world.row("a.ts");
        assert_eq!(row.degraded.as_ref().map(|failure| failure.code), Some(Code::RULES_TIGHTENED));
        assert!(row.is_resolvable());
        world.scan(Retry::All);
        assert!(world.attempts.is_empty(), "the same rules would say the same");
        world.files.insert("a.ts".to_owned(), Content::Good(0));
        world.scan(Retry::All);
        assert_eq!(world.row("a.ts").degraded, None);
    }
}

/// A failure that comes and goes does not make one forget that rules have tightened.
#[test]
fn fault_43_a_later_failure_does_not_hide_that_rules_tightened() {
    let mut world = World::new([("a.ts", Content::RejectedLater)]);
    world.scan(Retry::All);
    world.rules += 1;
    world.scan(Retry::All);
    world.root_is_there = false;
    world.scan(Retry::All);
    assert_eq!(world.row("a.ts").degraded.as_ref().map(|failure| failure.code), Some(Code::ROOT_UNREACHABLE));
    world.root_is_there = true;
    world.scan(Retry::All);
    assert_eq!(world.row("a.ts").degraded.as_ref().map(|failure| failure.code), Some(Code::RULES_TIGHTENED));
    assert_eq!(world.attempts, [("a.ts".to_owned(), false)], "judged again without a build");
}

/// Loading again what was accepted before, without network and without a build.
#[test]
fn fault_20_a_root_that_comes_back_recovers_without_a_build() {
    let mut world = World::new([("a.ts", Content::Good(0)), ("b.ts", Content::Rejected)]);
    world.scan(Retry::All);
    world.root_is_there = false;
    world.scan(Retry::All);
    assert!(world.row("a.ts").is_resolvable() && world.row("a.ts").degraded.is_some());
    assert_eq!(world.state("b.ts"), StateName::OrphanedBundleOnly);
    (world.root_is_there, world.network) = (true, false);
    world.scan(Retry::All);
    assert_eq!(world.row("a.ts").degraded, None);
    assert_eq!(world.state("b.ts"), StateName::ValidationFailed);
    assert!(world.attempts.iter().all(|(_, is_build)| !is_build));
}

/// A build or inspection that the environment prevents after our rules moved on is tried again, not forgiven.
#[test]
fn fault_47_an_inspection_that_could_not_be_carried_out_is_no_answer() {
    let mut world = World::new([("a.ts", Content::RejectedLater)]);
    world.scan(Retry::All);
    (world.workers, world.rules) = (false, 2);
    world.scan(Retry::All);
    world.scan(Retry::All);
    assert_eq!(world.attempts.len(), 1, "tried again");
    assert_eq!(world.row("a.ts").failure().map(|failure| failure.attempts), Some(2));
    assert!(world.row("a.ts").is_resolvable());
    world.workers = true;
    world.scan(Retry::All);
    assert_eq!(world.row("a.ts").degraded.as_ref().map(|failure| failure.code), Some(Code::RULES_TIGHTENED));
}

/// The packages of an accepted row are the ones that were really used, not the range that was observed.
#[test]
fn fault_46_what_was_really_used_is_what_is_remembered() {
    let look = look("s1");
    let resolved = inputs("s1/p4");
    let outcome =
        Outcome::Accepted { indexed: crate::notation::indexed(&resolved, "@acme/dns"), inputs: resolved.clone() };
    let moment = Moment { now: NOW, jitter: 1.0, outage: None };
    let Settled::Write(next) = settle(None, &look.observation, look.presence, outcome, 1, moment) else {
        panic!("a new row is written");
    };
    assert_eq!(row_text(&next), "Indexed built=s1/p4");
}

/// Fault 28: the type that a row once was is kept as its claim when its bundle and its build are gone.
#[test]
fn fault_28_a_lost_type_is_still_claimed() {
    let mut world = World::new([("a.ts", Content::Good(0))]);
    world.scan(Retry::All);
    world.lose_bundle("a.ts");
    world.network = false;
    world.scan(Retry::All);
    assert_eq!(world.state("a.ts"), StateName::BundleBuildFailed);
    assert_eq!(world.row("a.ts").type_name().map(TypeName::as_str), Some("@acme/a"));
    world.files.insert("a.ts".to_owned(), Content::Unreadable);
    world.scan(Retry::All);
    assert_eq!(world.state("a.ts"), StateName::EntryPointUnreadable);
    assert_eq!(world.row("a.ts").type_name().map(TypeName::as_str), Some("@acme/a"));
}
