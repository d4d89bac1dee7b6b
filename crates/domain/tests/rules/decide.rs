//! The decision table: each line of `design/freshness.md` as text, and the whole product as one table.

use std::{collections::BTreeMap, fmt::Write as _};

use crate::notation::{decision, lines};

fn decided(cases: &str) -> String {
    let mut out = String::new();
    for line in lines(cases) {
        let (row, look) = line.split_once(" -> ").expect("a case is `row -> look`");
        let (verdict, action, sentence) = decision(row, look);
        writeln!(out, "{line}\n    {verdict}, {action}: {sentence}").unwrap();
    }
    out
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table, one case a line")]
fn every_line_of_the_table() {
    insta::assert_snapshot!(decided(
        "
        none -> s1
        none -> EACCES
        EntryPointUnreadable failure=EACCES -> EACCES
        Indexed degraded=EACCES -> EACCES
        Indexed -> EACCES
        EntryPointUnreadable failure=EACCES -> EIO
        Indexed degraded=EACCES -> EACCES bundle=missing
        EntryPointUnreadable built=s1 -> s1
        OrphanedBundleOnly built=s1 -> s1
        OrphanedBundleOnly built=s1 -> s2
        OrphanedBundleOnly built=s1 -> s1 bundle=missing
        EntryPointUnreadable -> s1
        Indexed attempted=s2 degraded=registry -> s1
        Indexed degraded=EACCES -> s1
        Indexed attempted=s2 degraded=registry -> s2
        BundleBuildFailed attempted=s1 -> s1
        BundleBuildFailed built=s1 attempted=s1 failure=throws -> s1
        BundleBuildFailed built=s1 attempted=s1 failure=throws -> s1 bundle=missing
        Indexed -> s2
        Indexed attempted=s2 degraded=syntax -> s3
        BundleBuildFailed attempted=s1 -> s2
        ValidationFailed -> s2
        Indexed -> s1/c2
        Indexed -> s1/p2
        Indexed -> s1/b2
        ValidationFailed -> s1
        ValidationFailed -> s1 bundle=missing
        ValidationFailed -> s1 rules=2
        ValidationFailed -> s1 rules=2 bundle=missing
        Indexed -> s1 rules=2
        Indexed -> s1 rules=2 bundle=missing
        Indexed -> s1 bundle=missing
        Indexed -> s1 bundle=truncated
        Bundled -> s1
        Indexed -> s1
        "
    ), @r#"
    none -> s1
        New, build: never seen before
    none -> EACCES
        New, mark-unreadable: never seen before
    EntryPointUnreadable failure=EACCES -> EACCES
        StillUnreadable, keep: still unreadable for the recorded reason: permission denied
    Indexed degraded=EACCES -> EACCES
        StillUnreadable, keep: still unreadable for the recorded reason: permission denied
    Indexed -> EACCES
        Unreadable, degrade: the entry cannot be read: permission denied
    EntryPointUnreadable failure=EACCES -> EIO
        Unreadable, mark-unreadable: the entry cannot be read: input/output error (before: permission denied)
    Indexed degraded=EACCES -> EACCES bundle=missing
        Unreadable, mark-unreadable: the entry cannot be read: permission denied (before: permission denied)
    EntryPointUnreadable built=s1 -> s1
        SourceReappeared, adopt: the source is back, unchanged since its bundle was built
    OrphanedBundleOnly built=s1 -> s1
        SourceReappeared, adopt: the source is back, unchanged since its bundle was built
    OrphanedBundleOnly built=s1 -> s2
        SourceReappeared, build: the source is back
    OrphanedBundleOnly built=s1 -> s1 bundle=missing
        SourceReappeared, build: the source is back
    EntryPointUnreadable -> s1
        SourceReappeared, build: the source is back
    Indexed attempted=s2 degraded=registry -> s1
        Recovered, recover: the failing change was undone; the last good bundle matches the sources again
    Indexed degraded=EACCES -> s1
        Recovered, recover: the failing change was undone; the last good bundle matches the sources again
    Indexed attempted=s2 degraded=registry -> s2
        RetryFailedBuild, build: the last attempt failed, so it is tried again (1 attempt so far): registry unreachable: connection refused
    BundleBuildFailed attempted=s1 -> s1
        RetryFailedBuild, build: the last attempt failed, so it is tried again (1 attempt so far): registry unreachable: connection refused
    BundleBuildFailed built=s1 attempted=s1 failure=throws -> s1
        RetryFailedBuild, inspect: the last attempt failed, so it is tried again (1 attempt so far): TypeError: x is undefined
    BundleBuildFailed built=s1 attempted=s1 failure=throws -> s1 bundle=missing
        RetryFailedBuild, build: the last attempt failed, so it is tried again (1 attempt so far): TypeError: x is undefined
    Indexed -> s2
        SourceChanged, build: a source file changed: models/a.ts from 1 to 2
    Indexed attempted=s2 degraded=syntax -> s3
        SourceChanged, build: a source file changed: models/a.ts from 1 to 3
    BundleBuildFailed attempted=s1 -> s2
        SourceChanged, build: a source file changed: models/a.ts from 1 to 2
    ValidationFailed -> s2
        SourceChanged, build: a source file changed: models/a.ts from 1 to 2
    Indexed -> s1/c2
        ConfigChanged, build: the configuration changed: compilerOptions from 1 to 2
    Indexed -> s1/p2
        PackagesChanged, build: a package changed: zod from 1 to 2
    Indexed -> s1/b2
        BundlerChanged, build: the bundler changed: rolldown from 1 to 2
    ValidationFailed -> s1
        StillRejected, keep: the same inputs were rejected by the same rules
    ValidationFailed -> s1 bundle=missing
        StillRejected, keep: the same inputs were rejected by the same rules
    ValidationFailed -> s1 rules=2
        RulesChanged, inspect: the rules of its kind changed from version 1 to 2
    ValidationFailed -> s1 rules=2 bundle=missing
        RulesChanged, build: the rules of its kind changed from version 1 to 2
    Indexed -> s1 rules=2
        RulesChanged, inspect: the rules of its kind changed from version 1 to 2
    Indexed -> s1 rules=2 bundle=missing
        RulesChanged, build: the rules of its kind changed from version 1 to 2
    Indexed -> s1 bundle=missing
        BundleMissing, build: bundle 2958d416d08a is missing from the store
    Indexed -> s1 bundle=truncated
        BundleCorrupt, build: bundle 2958d416d08a should have 100 bytes and has 0
    Bundled -> s1
        InspectionPending, inspect: built, but never inspected
    Indexed -> s1
        Unchanged, keep: nothing changed since it was accepted
    "#);
}

#[test]
fn refinements_of_the_table() {
    insta::assert_snapshot!(decided(
        "
        Indexed attempted=s1 degraded=registry -> s1
        Indexed degraded=tightened rules=2 -> s1 rules=2
        Indexed degraded=tightened rules=2 -> s1 rules=3
        Indexed degraded=tightened rules=2 -> s2 rules=2
        Indexed attempted=s1/b2 degraded=tightened rules=2 -> s1/b2 rules=2
        Indexed attempted=s1/b2 degraded=tightened rules=2 -> s1/b2 rules=2 bundle=missing
        Indexed attempted=s1/b2 degraded=tightened rules=2 -> s1/b2 rules=3
        Tombstoned -> s1
        Indexed kind=vault -> s1
        "
    ), @r#"
    Indexed attempted=s1 degraded=registry -> s1
        RetryFailedBuild, inspect: the last attempt failed, so it is tried again (1 attempt so far): registry unreachable: connection refused
    Indexed degraded=tightened rules=2 -> s1 rules=2
        StillRejected, keep: the same inputs were rejected by the same rules
    Indexed degraded=tightened rules=2 -> s1 rules=3
        RulesChanged, inspect: the rules of its kind changed from version 2 to 3
    Indexed degraded=tightened rules=2 -> s2 rules=2
        SourceChanged, build: a source file changed: models/a.ts from 1 to 2
    Indexed attempted=s1/b2 degraded=tightened rules=2 -> s1/b2 rules=2
        StillRejected, keep: the same inputs were rejected by the same rules
    Indexed attempted=s1/b2 degraded=tightened rules=2 -> s1/b2 rules=2 bundle=missing
        BundlerChanged, build: the bundler changed: rolldown from 1 to 2
    Indexed attempted=s1/b2 degraded=tightened rules=2 -> s1/b2 rules=3
        BundlerChanged, build: the bundler changed: rolldown from 1 to 2
    Tombstoned -> s1
        New, build: never seen before
    Indexed kind=vault -> s1
        New, build: no longer an entry point of the kind vault, and new in its present kind
    "#);
}

const ROWS: [&str; 15] = [
    "none",
    "Indexed",
    "Indexed degraded=EACCES",
    "Indexed degraded=registry attempted=s2",
    "Indexed degraded=registry attempted=s1",
    "Indexed degraded=tightened",
    "Indexed degraded=tightened attempted=s1/b2",
    "Bundled",
    "BundleBuildFailed attempted=s1",
    "BundleBuildFailed attempted=s1 built=s1 failure=throws",
    "ValidationFailed",
    "EntryPointUnreadable failure=EACCES",
    "EntryPointUnreadable failure=EACCES built=s1",
    "OrphanedBundleOnly",
    "Tombstoned",
];
const LOOKS: [&str; 8] = ["EACCES", "EIO", "s1", "s2", "s1/c2", "s1/p2", "s1/b2", "s2/c2/p2/b2"];
const BUNDLES: [&str; 3] = ["present", "missing", "truncated"];
const RULES: [&str; 2] = ["1", "2"];

/// `decide` has an answer for everything: states × degraded × readable × each part × presence × rule version.
#[test]
fn decide_is_total() {
    let mut table = String::new();
    for row in ROWS {
        writeln!(table, "{row}").unwrap();
        for look in LOOKS {
            let mut answers: BTreeMap<(String, String), Vec<(&str, &str)>> = BTreeMap::new();
            for bundle in BUNDLES {
                for rules in RULES {
                    let (verdict, action, _) = decision(row, &format!("{look} bundle={bundle} rules={rules}"));
                    answers.entry((verdict, action)).or_default().push((bundle, rules));
                }
            }
            let mut answers: Vec<_> = answers.into_iter().collect();
            answers.sort_by_key(|(_, when)| std::cmp::Reverse(when.contains(&("present", "1"))));
            for (index, ((verdict, action), when)) in answers.iter().enumerate() {
                let look = if index == 0 { look } else { "" };
                writeln!(table, "    {look:<12}{verdict:<18}{action:<16}{}", conditions(when)).unwrap();
            }
        }
    }
    insta::assert_snapshot!(table);
}

/// When an answer holds, in words; nothing if always.
fn conditions(when: &[(&str, &str)]) -> String {
    if when.len() == BUNDLES.len() * RULES.len() {
        return String::new();
    }
    let mut words = Vec::new();
    for rules in RULES {
        let bundles: Vec<&str> =
            when.iter().filter(|(_, version)| *version == rules).map(|(bundle, _)| *bundle).collect();
        let same = if rules == "1" { "same rules" } else { "new rules" };
        match bundles.len() {
            0 => {}
            3 => words.push(same.to_owned()),
            _ => words.push(format!("{same}, bundle {}", bundles.join(" or "))),
        }
    }
    words.join("; ")
}
