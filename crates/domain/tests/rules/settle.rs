//! The settling table, line by line and as a whole.

use std::fmt::Write as _;

use mangrove_domain::{
    bundle::Presence,
    plan::Action,
    settle::{Moment, Outcome, Settled, apply, settle, transition},
    state::StateName,
    type_name::TypeName,
};

use crate::notation::{NOW, bundle_of, fault, indexed, lines, look, row, row_text, violations};

pub(crate) const MOMENT: Moment = Moment { now: NOW, jitter: 1.0, outage: None };

fn outcome(text: &str, look_text: &str) -> Outcome {
    let inputs = look(look_text).observation.inputs().cloned().unwrap_or_else(|| crate::notation::inputs("s1"));
    let bundle = bundle_of(&inputs);
    match text.split_once(':') {
        None if text == "accepted" => Outcome::Accepted { indexed: indexed(&inputs, "@acme/dns"), inputs },
        None if text == "rejected" => {
            Outcome::Rejected { bundle, violations: violations(), claimed_type: None, inputs }
        }
        None if text == "moved" => Outcome::InputsMoved,
        Some(("build", name)) => Outcome::BuildFailed { fault: fault(name) },
        Some(("inspection", name)) => Outcome::InspectionFailed { fault: fault(name), bundle, inputs },
        _ => panic!("no outcome is called {text}"),
    }
}

fn action(text: &str) -> Action {
    match text.split_once(':') {
        None if text == "keep" => Action::Keep,
        None if text == "recover" => Action::Recover,
        None if text == "orphan" => Action::Orphan,
        None if text == "defer" => Action::Defer { until: None },
        Some(("degrade", name)) => Action::Degrade(fault(name)),
        Some(("unreadable", name)) => Action::MarkUnreadable(fault(name)),
        _ => panic!("no action is called {text}"),
    }
}

fn settled_text(settled: &Settled) -> String {
    match settled {
        Settled::Write(row) => row_text(row),
        Settled::Delete(reason) => format!("deleted, {}", reason.as_str()),
        Settled::Unchanged => "nothing is written".to_owned(),
        Settled::ObserveAgain => "nothing is stored, observe again".to_owned(),
    }
}

fn settled(row_words: &str, look_words: &str, outcome_words: &str) -> Settled {
    let look = look(look_words);
    let row = row(row_words);
    let outcome = outcome(outcome_words, look_words);
    settle(row.as_ref(), &look.observation, look.presence, outcome, look.rule_version, MOMENT)
}

fn all_settled(cases: &str) -> String {
    let mut out = String::new();
    for line in lines(cases) {
        let (row, rest) = line.split_once(" -> ").expect("a case is `row -> look: outcome`");
        let (look, outcome) = rest.split_once(": ").expect("a case is `row -> look: outcome`");
        writeln!(out, "{line}\n    {}", settled_text(&settled(row, look, outcome))).unwrap();
    }
    out
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table, one case a line")]
fn every_line_of_the_settling_table() {
    insta::assert_snapshot!(all_settled(
        "
        none -> s1: accepted
        BundleBuildFailed attempted=s1 -> s1: accepted
        ValidationFailed -> s2: accepted
        Indexed attempted=s2 degraded=registry -> s2: accepted
        EntryPointUnreadable built=s1 -> s1: accepted
        none -> s1: rejected
        Indexed -> s2: rejected
        Indexed -> s1 rules=2: rejected
        Indexed -> s1/b2 rules=2: rejected
        Indexed -> s1/b2 rules=2 bundle=missing: rejected
        Indexed -> s2: build:registry
        Indexed -> s2: inspection:throws
        Indexed attempted=s2 degraded=registry -> s2: build:registry
        Indexed -> s1 bundle=missing: build:registry
        Indexed -> s2 bundle=missing: build:registry
        Indexed -> s1 bundle=missing: inspection:throws
        Indexed -> s2 bundle=missing: inspection:throws
        none -> s1: build:syntax
        BundleBuildFailed attempted=s1 -> s1: build:registry
        BundleBuildFailed attempted=s1 -> s2: build:syntax
        none -> s1: inspection:throws
        BundleBuildFailed attempted=s1 -> s1: inspection:throws
        ValidationFailed -> s2: build:registry
        BundleBuildFailed attempted=s2 rejected-before -> s2: build:registry
        OrphanedBundleOnly -> s2: build:registry
        EntryPointUnreadable -> s1: build:registry
        Indexed -> s2: moved
        none -> s1: moved
        none -> EACCES: build:registry
        Tombstoned -> s1: accepted
        Indexed kind=vault -> s1: build:registry
        "
    ), @r#"
    none -> s1: accepted
        Indexed built=s1
    BundleBuildFailed attempted=s1 -> s1: accepted
        Indexed built=s1
    ValidationFailed -> s2: accepted
        Indexed built=s2
    Indexed attempted=s2 degraded=registry -> s2: accepted
        Indexed built=s2
    EntryPointUnreadable built=s1 -> s1: accepted
        Indexed built=s1
    none -> s1: rejected
        ValidationFailed built=s1
    Indexed -> s2: rejected
        ValidationFailed built=s2
    Indexed -> s1 rules=2: rejected
        Indexed built=s1 degraded=tightened rules=2
    Indexed -> s1/b2 rules=2: rejected
        Indexed built=s1 attempted=s1/b2 degraded=tightened rules=2
    Indexed -> s1/b2 rules=2 bundle=missing: rejected
        ValidationFailed built=s1/b2 rules=2
    Indexed -> s2: build:registry
        Indexed built=s1 attempted=s2 degraded=registry
    Indexed -> s2: inspection:throws
        Indexed built=s1 attempted=s2 degraded=throws
    Indexed attempted=s2 degraded=registry -> s2: build:registry
        Indexed built=s1 attempted=s2 degraded=registry (2 attempts)
    Indexed -> s1 bundle=missing: build:registry
        BundleBuildFailed attempted=s1 failure=registry
    Indexed -> s2 bundle=missing: build:registry
        BundleBuildFailed attempted=s2 failure=registry
    Indexed -> s1 bundle=missing: inspection:throws
        Indexed built=s1 attempted=s1 degraded=throws
    Indexed -> s2 bundle=missing: inspection:throws
        BundleBuildFailed built=s2 attempted=s2 failure=throws
    none -> s1: build:syntax
        BundleBuildFailed attempted=s1 failure=syntax rules=0
    BundleBuildFailed attempted=s1 -> s1: build:registry
        BundleBuildFailed attempted=s1 failure=registry (2 attempts)
    BundleBuildFailed attempted=s1 -> s2: build:syntax
        BundleBuildFailed attempted=s2 failure=syntax
    none -> s1: inspection:throws
        BundleBuildFailed built=s1 attempted=s1 failure=throws rules=0
    BundleBuildFailed attempted=s1 -> s1: inspection:throws
        BundleBuildFailed built=s1 attempted=s1 failure=throws
    ValidationFailed -> s2: build:registry
        BundleBuildFailed attempted=s2 failure=registry rejected-before
    BundleBuildFailed attempted=s2 rejected-before -> s2: build:registry
        BundleBuildFailed attempted=s2 failure=registry (2 attempts) rejected-before
    OrphanedBundleOnly -> s2: build:registry
        BundleBuildFailed attempted=s2 failure=registry
    EntryPointUnreadable -> s1: build:registry
        BundleBuildFailed attempted=s1 failure=registry
    Indexed -> s2: moved
        nothing is stored, observe again
    none -> s1: moved
        nothing is stored, observe again
    none -> EACCES: build:registry
        nothing is stored, observe again
    Tombstoned -> s1: accepted
        Indexed built=s1
    Indexed kind=vault -> s1: build:registry
        BundleBuildFailed attempted=s1 failure=registry rules=0
    "#);
}

#[test]
fn every_other_action() {
    let mut out = String::new();
    for line in lines(
        "
        Indexed -> EACCES: degrade:EACCES
        Indexed attempted=s2 degraded=registry -> EACCES: degrade:EACCES
        Indexed -> EACCES: unreadable:EACCES
        BundleBuildFailed attempted=s1 -> EACCES: unreadable:EACCES
        ValidationFailed -> EACCES: unreadable:EACCES
        OrphanedBundleOnly -> EACCES: unreadable:EACCES
        none -> EACCES: unreadable:EACCES
        Indexed degraded=EACCES -> s1: recover
        Indexed attempted=s2 degraded=registry -> s1: recover
        ValidationFailed -> s1: orphan
        BundleBuildFailed built=s1 attempted=s1 -> s1: orphan
        Indexed -> s1: keep
        BundleBuildFailed attempted=s1 -> s1: defer
        Indexed -> s1: orphan
        BundleBuildFailed attempted=s1 -> s1: degrade:EACCES
        BundleBuildFailed attempted=s1 -> s1: orphan
        BundleBuildFailed attempted=s1 -> s1: recover
        ",
    ) {
        let (row_words, rest) = line.split_once(" -> ").unwrap();
        let (look_words, action_words) = rest.split_once(": ").unwrap();
        let row = row(row_words);
        let settled = apply(row.as_ref(), Some(&look(look_words).observation), &action(action_words), MOMENT);
        writeln!(out, "{line}\n    {}", settled_text(&settled)).unwrap();
    }
    insta::assert_snapshot!(out, @r#"
    Indexed -> EACCES: degrade:EACCES
        Indexed built=s1 degraded=EACCES
    Indexed attempted=s2 degraded=registry -> EACCES: degrade:EACCES
        Indexed built=s1 attempted=s2 degraded=EACCES
    Indexed -> EACCES: unreadable:EACCES
        EntryPointUnreadable built=s1 failure=EACCES
    BundleBuildFailed attempted=s1 -> EACCES: unreadable:EACCES
        EntryPointUnreadable attempted=s1 failure=EACCES
    ValidationFailed -> EACCES: unreadable:EACCES
        EntryPointUnreadable built=s1 failure=EACCES rejected-before
    OrphanedBundleOnly -> EACCES: unreadable:EACCES
        EntryPointUnreadable built=s1 failure=EACCES
    none -> EACCES: unreadable:EACCES
        EntryPointUnreadable failure=EACCES rules=0
    Indexed degraded=EACCES -> s1: recover
        Indexed built=s1
    Indexed attempted=s2 degraded=registry -> s1: recover
        Indexed built=s1
    ValidationFailed -> s1: orphan
        OrphanedBundleOnly built=s1 rejected-before
    BundleBuildFailed built=s1 attempted=s1 -> s1: orphan
        OrphanedBundleOnly built=s1 attempted=s1
    Indexed -> s1: keep
        nothing is written
    BundleBuildFailed attempted=s1 -> s1: defer
        nothing is written
    Indexed -> s1: orphan
        nothing is stored, observe again
    BundleBuildFailed attempted=s1 -> s1: degrade:EACCES
        nothing is stored, observe again
    BundleBuildFailed attempted=s1 -> s1: orphan
        nothing is stored, observe again
    BundleBuildFailed attempted=s1 -> s1: recover
        nothing is stored, observe again
    "#);
}

/// `settle` has an answer for everything: states × outcomes × inputs × presence × rule version.
#[test]
fn settle_is_total() {
    let rows = [
        "none",
        "Indexed",
        "Indexed degraded=EACCES",
        "Indexed degraded=registry attempted=s2",
        "Bundled",
        "BundleBuildFailed attempted=s1",
        "BundleBuildFailed attempted=s1 built=s1 failure=throws",
        "ValidationFailed",
        "EntryPointUnreadable failure=EACCES",
        "EntryPointUnreadable failure=EACCES built=s1",
        "OrphanedBundleOnly",
        "Tombstoned",
    ];
    let mut table = String::new();
    for row in rows {
        writeln!(table, "{row}").unwrap();
        for outcome in ["accepted", "rejected", "build:registry", "inspection:throws", "moved"] {
            let mut previous = String::new();
            for look in ["s1", "s2", "s1/b2"] {
                for bundle in ["present", "missing"] {
                    let answer = settled_text(&settled(row, &format!("{look} bundle={bundle}"), outcome));
                    let with_rules = settled_text(&settled(row, &format!("{look} bundle={bundle} rules=2"), outcome));
                    assert_eq!(answer.replace(" rules=2", ""), with_rules.replace(" rules=2", ""));
                    if answer != previous {
                        writeln!(table, "    {outcome:<18}{look:<6} bundle {bundle:<8} {answer}").unwrap();
                    }
                    previous = answer;
                }
            }
        }
    }
    insta::assert_snapshot!(table);
}

#[test]
fn transitions_are_recorded_only_when_the_state_moves() {
    let before = row("Indexed");
    let degraded = settled("Indexed", "s2", "build:registry");
    assert_eq!(transition(before.as_ref(), &degraded, "why", NOW), None);
    assert_eq!(transition(before.as_ref(), &Settled::Unchanged, "why", NOW), None);
    assert_eq!(transition(before.as_ref(), &Settled::ObserveAgain, "why", NOW), None);

    let rejected = settled("Indexed", "s2", "rejected");
    let line = transition(before.as_ref(), &rejected, "why", NOW).unwrap();
    assert_eq!(
        (line.from, line.to, line.reason.as_str()),
        (Some(StateName::Indexed), StateName::ValidationFailed, "why")
    );

    let new = settled("none", "s1", "accepted");
    let line = transition(None, &new, "why", NOW).unwrap();
    assert_eq!((line.from, line.to), (None, StateName::Indexed));

    let gone = Settled::Delete(mangrove_domain::state::TombstoneReason::SourceDeleted);
    let line = transition(before.as_ref(), &gone, "why", NOW).unwrap();
    assert_eq!((line.from, line.to), (Some(StateName::Indexed), StateName::Tombstoned));
    assert_eq!(line.entry_digest, before.unwrap().entry_digest);
}

#[test]
fn a_row_keeps_the_revision_that_it_was_planned_on() {
    for case in ["Indexed", "Tombstoned", "Indexed kind=vault"] {
        let Settled::Write(next) = settled(case, "s2", "accepted") else { panic!("{case} is written") };
        assert_eq!(next.revision, 7, "{case}");
    }
    let Settled::Write(next) = settled("none", "s2", "accepted") else { panic!("a new row is written") };
    assert_eq!(next.revision, 0);
}

#[test]
fn a_moved_extension_is_written_without_any_attempt() {
    let row = row("Indexed").unwrap();
    let mut look = look("s1");
    look.observation.extension.version = "2.0.0".into();
    let Settled::Write(next) = apply(Some(&row), Some(&look.observation), &Action::Keep, MOMENT) else {
        panic!("the new version is written");
    };
    assert_eq!(&*next.extension.version, "2.0.0");
    assert_eq!(next.state, row.state);
    assert_eq!(apply(Some(&next), Some(&look.observation), &Action::Keep, MOMENT), Settled::Unchanged);
}

/// A rejection stands in the way of what it claims, so that must be what anybody finds who looks for the first time.
#[test]
fn a_rejected_export_claims_nothing_from_before() {
    let before = row("Indexed built=s1").expect("a row");
    assert!(before.type_name().is_some());
    let mut seen = look("s2").observation;
    seen.claimed_type = None;
    for claimed_type in [None, Some(TypeName::stored("@acme/computed"))] {
        let inputs = seen.inputs().cloned().expect("readable");
        let (bundle, violations) = (bundle_of(&inputs), violations());
        let outcome = Outcome::Rejected { bundle, violations, claimed_type: claimed_type.clone(), inputs };
        let settle = |row| settle(row, &seen, Presence::Present, outcome.clone(), 1, MOMENT);
        let (Settled::Write(warm), Settled::Write(cold)) = (settle(Some(&before)), settle(None)) else {
            panic!("it is written")
        };
        assert_eq!((&warm.claimed_type, &cold.claimed_type), (&claimed_type, &claimed_type));
    }
}
