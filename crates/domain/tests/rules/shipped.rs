//! Bundles that pulled extensions ship: when one is taken, and what becomes of a row that runs one.

use std::fmt::Write as _;

use mangrove_domain::{
    bundle::{BundleRef, ObjectKey, Presence, StoredObject},
    digest::Digest,
    failure::Fault,
    fingerprint::{Inputs, Line, Part, UNREADABLE},
    freshness::{Verdict, decide},
    observation::{Entry, Observation},
    problem::Code,
    row::Row,
    settle::{Outcome, Settled, settle},
    shipped::{Acceptance, Judgement, Shipped, ShippedBundle, is_unmapped, judge, named_in, stands_in_for},
    source::RelativePath,
    state::{Indexed, StateName},
};

use crate::{
    notation::{self, fault, indexed, inputs, row as notated_row},
    settle::MOMENT,
};

/// The bundle of this text, of this pull.
fn bundle(text: &str, pull: &str) -> ShippedBundle {
    let path = RelativePath::parse(".swamp/models-bundles/a.js").unwrap();
    ShippedBundle { path, digest: Digest::of(text.as_bytes()), pull: pull.into() }
}

/// The inputs of the notation with this bundle beside them.
fn inputs_with(source: &str, shipped: &ShippedBundle) -> Inputs {
    let plain = inputs(source);
    Inputs { packages: Shipped::Bundle(shipped.clone()).added_to(&plain.packages), ..plain }
}

fn observed(inputs: &Inputs) -> Observation {
    let entry = Entry::Readable { digest: inputs.source.digest(), inputs: inputs.clone() };
    Observation { entry, ..notation::observation("models/a.ts", "s1") }
}

fn acceptance(source: &str, shipped: &ShippedBundle) -> Acceptance {
    Acceptance {
        bundle: shipped.digest,
        source: inputs(source).source.digest(),
        pull: shipped.pull.clone(),
        unmapped: vec!["zod".to_owned()],
    }
}

/// What becomes of a row when the shipped bundle is taken for these sources and accepted by the loader.
fn taken(row: Option<&Row>, source: &str, shipped: &ShippedBundle) -> Row {
    let inputs = inputs_with(source, shipped);
    let entry = StoredObject { key: ObjectKey::Extension(shipped.digest), size_bytes: 100 };
    let bundle = BundleRef { entry, vendors: Vec::new() };
    let indexed = Indexed { bundle, ..indexed(&inputs, "@acme/dns") };
    let accepted = Outcome::Accepted { indexed, inputs: inputs.clone() };
    let outcome = Outcome::Shipped { acceptance: acceptance(source, shipped), outcome: Box::new(accepted) };
    written(settle(row, &observed(&inputs), Presence::Present, outcome, 1, MOMENT))
}

/// What becomes of a row when the build of these inputs fails.
fn failed(row: &Row, inputs: &Inputs, fault: Fault) -> Row {
    let outcome = Outcome::BuildFailed { fault };
    written(settle(Some(row), &observed(inputs), Presence::Present, outcome, 1, MOMENT))
}

fn written(settled: Settled) -> Row {
    match settled {
        Settled::Write(row) => *row,
        other => panic!("expected a row, found {other:?}"),
    }
}

fn unmapped() -> Fault {
    Fault::deterministic(Code::UNMAPPED_IMPORT, "specifier:zod", "nothing says what zod means")
}

fn verdict(row: &Row, inputs: &Inputs) -> Verdict {
    decide(&observed(inputs), Some(row), Presence::Present, 1)
}

#[test]
fn fault_05_every_line_of_the_acceptance_table() {
    let known = acceptance("s1", &bundle("one", "1"));
    let mut table = String::new();
    for (accepted, is_known) in [(None, false), (Some(&known), true)] {
        for source in ["s1", "s2"] {
            for code in ["one", "two"] {
                for pull in ["1", "2"] {
                    let same = |is_same: bool| if is_same { "same" } else { "other" };
                    let judged = match judge(accepted, &bundle(code, pull), inputs(source).source.digest()) {
                        Judgement::Accept => "accepted",
                        Judgement::Changed { accepted } => {
                            assert_eq!(accepted, known.bundle);
                            "refused: not the one that was accepted"
                        }
                        Judgement::OtherSources => "refused: of other sources",
                    };
                    let (source, code, pull) = (same(source == "s1"), same(code == "one"), same(pull == "1"));
                    if is_known {
                        writeln!(table, "{source:5} sources, {code:5} bundle, {pull:5} pull: {judged}").unwrap();
                    } else {
                        assert_eq!(judged, "accepted", "the first one is");
                    }
                }
            }
        }
    }
    insta::assert_snapshot!(table, @"
    same  sources, same  bundle, same  pull: accepted
    same  sources, same  bundle, other pull: accepted
    same  sources, other bundle, same  pull: refused: not the one that was accepted
    same  sources, other bundle, other pull: accepted
    other sources, same  bundle, same  pull: refused: of other sources
    other sources, same  bundle, other pull: refused: of other sources
    other sources, other bundle, same  pull: refused: of other sources
    other sources, other bundle, other pull: accepted
    ");
}

/// Every other failure passes, or tells of the sources.
#[test]
fn a_shipped_bundle_stands_in_for_one_failure_and_no_other() {
    for code in Code::ALL {
        let fault = Fault { code: *code, ..unmapped() };
        assert_eq!(stands_in_for(&fault), *code == Code::UNMAPPED_IMPORT, "{code}");
    }
    let names = ["zod", "@acme/tools/deep", "npm:zod@4", "node:fs", "jsr:@std/path", "package.json:zod@workspace:*"];
    let unmapped: Vec<&str> = names.into_iter().filter(|name| is_unmapped(name)).collect();
    assert_eq!(unmapped, ["zod", "@acme/tools/deep"]);
}

#[test]
fn what_is_shipped_is_part_of_the_packages_part_and_can_be_read_from_it() {
    let plain = inputs("s1").packages;
    let with = |shipped: &Shipped| shipped.added_to(&plain);
    let one = Shipped::Bundle(bundle("one", "1"));
    let unusable = Shipped::Unusable { why: "does not parse".to_owned() };
    let all = [
        plain.clone(),
        with(&one),
        with(&Shipped::Bundle(bundle("two", "1"))),
        with(&Shipped::Bundle(bundle("one", "2"))),
        with(&unusable),
        with(&Shipped::Unusable { why: "is there twice".to_owned() }),
    ];
    for (index, part) in all.iter().enumerate() {
        assert_eq!(all.iter().position(|other| other == part), Some(index), "all of them differ");
    }
    assert_eq!(named_in(&with(&one)), Some(Digest::of(b"one")));
    assert_eq!((named_in(&plain), named_in(&with(&unusable))), (None, None));
}

#[test]
fn fault_05_a_row_tells_a_shipped_bundle_from_one_that_was_built() {
    let shipped = bundle("one", "1");
    let row = taken(None, "s1", &shipped);
    assert_eq!((row.state.name(), row.shipped_bundle()), (StateName::Indexed, Some(shipped.digest)));
    assert_eq!(row.shipped, Some(acceptance("s1", &shipped)));
    assert!(matches!(verdict(&row, &inputs_with("s1", &shipped)), Verdict::Fresh(_)));
    let built = inputs("s1/c2");
    let accepted = Outcome::Accepted { indexed: indexed(&built, "@acme/dns"), inputs: built.clone() };
    let row = written(settle(Some(&row), &observed(&built), Presence::Present, accepted, 1, MOMENT));
    assert_eq!(row.shipped_bundle(), None, "what was built wins");
    assert!(row.shipped.is_some(), "what was accepted is not forgotten: the configuration may go again");
}

#[test]
fn fault_05_changed_sources_are_not_hidden_by_a_shipped_bundle() {
    let shipped = bundle("one", "1");
    let before = taken(None, "s1", &shipped);
    let changed = inputs_with("s2", &shipped);
    assert_eq!(verdict(&before, &changed).name(), "SourceChanged");
    for fault in [unmapped(), fault("registry"), fault("syntax")] {
        let row = failed(&before, &changed, fault);
        assert_eq!((row.state.name(), row.bundle()), (StateName::BundleBuildFailed, None));
        assert_eq!(row.type_name(), before.type_name(), "it still claims the type");
        assert_eq!(row.shipped, before.shipped, "or the old bundle would be the first one for the new sources");
        let again = failed(&row, &changed, unmapped());
        assert_eq!(again.shipped, before.shipped);
        // The sources come back, and with them what was accepted for them.
        let back = taken(Some(&again), "s1", &shipped);
        assert_eq!((back.state.name(), back.failure()), (StateName::Indexed, None));
    }
}

/// The same for an inspection of what was built from the new sources: the old bundle is no last good one.
#[test]
fn fault_05_nor_while_the_new_bundle_cannot_be_inspected() {
    let shipped = bundle("one", "1");
    let before = taken(None, "s1", &shipped);
    let changed = inputs("s2/c2");
    let bundle = notation::bundle_of(&changed);
    let outcome = Outcome::InspectionFailed { fault: fault("EIO"), bundle: bundle.clone(), inputs: changed.clone() };
    let row = written(settle(Some(&before), &observed(&changed), Presence::Present, outcome, 1, MOMENT));
    assert_eq!((row.state.name(), row.bundle()), (StateName::BundleBuildFailed, Some(&bundle)));
}

#[test]
fn a_failure_that_says_nothing_of_the_sources_takes_no_shipped_bundle_away() {
    let shipped = bundle("one", "1");
    let before = taken(None, "s1", &shipped);
    // A configuration appeared, and the network is down.
    let row = failed(&before, &inputs("s1/c2"), fault("registry"));
    assert_eq!((row.state.name(), row.shipped_bundle()), (StateName::Indexed, Some(shipped.digest)));
    assert!(row.degraded.is_some());
    // A helper cannot be read: nobody knows whether it changed.
    let mut unreadable = inputs_with("s1", &shipped);
    unreadable.source = Part::of([Line::new("models/a.ts", "1"), Line::new("_lib/help.ts", UNREADABLE)]);
    let row = failed(&before, &unreadable, unmapped());
    assert_eq!((row.state.name(), row.degraded.is_some()), (StateName::Indexed, true));
}

#[test]
fn fault_05_another_file_of_the_same_pull_degrades_until_the_old_one_is_back() {
    let (shipped, other) = (bundle("one", "1"), bundle("two", "1"));
    let before = taken(None, "s1", &shipped);
    let changed = inputs_with("s1", &other);
    let sentence = verdict(&before, &changed).to_string();
    assert!(sentence.starts_with("a package changed: shipped bundle from "), "{sentence}");
    let refused = Fault { code: Code::SHIPPED_CHANGED, ..unmapped() };
    let row = failed(&before, &changed, refused);
    assert_eq!((row.state.name(), row.shipped_bundle()), (StateName::Indexed, Some(shipped.digest)));
    assert_eq!(row.failure().map(|failure| failure.code), Some(Code::SHIPPED_CHANGED));
    assert_eq!(verdict(&row, &changed).name(), "RetryFailedBuild", "a refusal is no cached answer");
    assert_eq!(verdict(&row, &inputs_with("s1", &shipped)), Verdict::Recovered);
    let pulled = bundle("two", "2");
    let row = taken(Some(&row), "s1", &pulled);
    assert_eq!((row.shipped_bundle(), row.failure()), (Some(pulled.digest), None));
}

/// A row that built its own bundle keeps it as every row does, whatever it ran before.
#[test]
fn a_built_bundle_is_the_last_good_one_even_where_one_is_shipped() {
    let built = notated_row("Indexed built=s1")
        .map(|row| Row { shipped: taken(None, "s1", &bundle("one", "1")).shipped, ..row });
    let row = failed(&built.unwrap(), &inputs("s2"), unmapped());
    assert_eq!((row.state.name(), row.degraded.is_some()), (StateName::Indexed, true));
}
