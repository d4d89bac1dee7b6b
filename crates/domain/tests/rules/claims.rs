//! Claims: precedence, shadowing, fallbacks, blocks.

use std::fmt::Write as _;

use mangrove_domain::{
    claims::{Claims, resolve},
    row::Row,
    source::RootId,
    state::StateName,
};
use proptest::prelude::*;

use crate::notation::{lines, row_at};

/// Lines of `path: row`; the extension is the first segment of the path, the root follows the origin.
fn rows(text: &str) -> Vec<Row> {
    lines(text)
        .map(|line| {
            let (path, words) = line.split_once(": ").unwrap();
            let mut row = row_at(path, words).unwrap();
            row.extension.name = path.split('/').next().unwrap().into();
            row.source.root = RootId::new(row.origin.as_str());
            row
        })
        .collect()
}

fn text(claims: &Claims, rows: &[Row]) -> String {
    let mut out = String::new();
    for row in rows {
        let mut marked = row.clone();
        claims.mark(&mut marked);
        let role = match (&marked.shadowed_by, marked.shadow_fallback, marked.is_resolvable()) {
            (Some(head), _, _) => format!("behind {head}"),
            (None, true, true) => "resolves, as a fallback".to_owned(),
            (None, _, true) => "resolves".to_owned(),
            (None, _, false) => "does not resolve".to_owned(),
        };
        writeln!(out, "{}: {role}", row.source).unwrap();
    }
    for problem in &claims.problems {
        writeln!(out, "{} {}: {}", problem.code, problem.severity.as_str(), problem.message).unwrap();
    }
    out
}

fn settled(case: &str) -> String {
    let rows = rows(case);
    text(&resolve(&rows), &rows)
}

#[test]
fn origin_then_extension_then_path() {
    insta::assert_snapshot!(settled(
        "
        x/a.ts: Indexed origin=pulled
        b/a.ts: Indexed origin=mounted
        z/a.ts: Indexed
        y/b.ts: Indexed
        y/a.ts: Indexed
        "
    ), @r#"
    pulled/x/a.ts: behind y/a.ts
    mounted/b/a.ts: behind y/a.ts
    z/a.ts: behind y/a.ts
    y/b.ts: behind y/a.ts
    y/a.ts: resolves
    MG0110 error: y/a.ts and y/b.ts both claim the model type @acme/dns; the first takes precedence
    MG0110 error: y/a.ts and z/a.ts both claim the model type @acme/dns; the first takes precedence
    "#);
}

/// Fault 14: the shadowed row comes back by itself when the first goes.
#[test]
fn fault_14_a_shadowed_type_comes_back_when_the_first_goes() {
    let both = rows("x/a.ts: Indexed\nx/b.ts: Indexed origin=pulled");
    let claims = resolve(&both);
    assert_eq!(claims.shadowed_by.get(&both[1].source), Some(&both[0].source));
    assert!(claims.problems.is_empty(), "another origin is no conflict");
    let mut rest = both[1].clone();
    claims.mark(&mut rest);
    assert!(!rest.is_resolvable());
    assert!(resolve([&rest]).mark(&mut rest));
    assert!(rest.is_resolvable());
}

#[test]
fn a_failed_row_lets_a_lower_one_stand_in_and_a_rejected_one_does_not() {
    insta::assert_snapshot!(settled(
        "
        x/a.ts: BundleBuildFailed attempted=s1 type=@acme/failed
        x/b.ts: Indexed origin=pulled type=@acme/failed
        x/c.ts: ValidationFailed type=@acme/rejected
        x/d.ts: Indexed origin=pulled type=@acme/rejected
        x/e.ts: EntryPointUnreadable type=@acme/unreadable
        x/f.ts: Indexed origin=pulled type=@acme/unreadable
        x/g.ts: BundleBuildFailed attempted=s2 rejected-before type=@acme/history
        x/h.ts: Indexed origin=pulled type=@acme/history
        x/i.ts: Indexed attempted=s2 degraded=registry type=@acme/degraded
        x/j.ts: Indexed origin=pulled type=@acme/degraded
        x/k.ts: BundleBuildFailed attempted=s1 type=@acme/alone
        "
    ), @r#"
    x/a.ts: does not resolve
    pulled/x/b.ts: resolves, as a fallback
    x/c.ts: does not resolve
    pulled/x/d.ts: behind x/c.ts
    x/e.ts: does not resolve
    pulled/x/f.ts: resolves, as a fallback
    x/g.ts: does not resolve
    pulled/x/h.ts: behind x/g.ts
    x/i.ts: resolves
    pulled/x/j.ts: behind x/i.ts
    x/k.ts: does not resolve
    MG0111 warning: pulled/x/b.ts resolves the model type @acme/failed only because x/a.ts failed: registry unreachable: connection refused
    MG0120 error: the model type @acme/history is not available: x/g.ts was rejected, and pulled/x/h.ts is not used in its place
    MG0120 error: the model type @acme/rejected is not available: x/c.ts was rejected, and pulled/x/d.ts is not used in its place
    MG0111 warning: pulled/x/f.ts resolves the model type @acme/unreadable only because x/e.ts failed: permission denied
    "#);
}

/// Fault 24: a failed or rejected add-on never stands in the way of its target.
#[test]
fn fault_24_add_ons_take_no_part() {
    insta::assert_snapshot!(settled(
        "
        x/add.ts: ValidationFailed add-on
        x/add2.ts: BundleBuildFailed attempted=s1 add-on
        x/add3.ts: Indexed add-on
        x/base.ts: Indexed origin=pulled
        "
    ), @r#"
    x/add.ts: does not resolve
    x/add2.ts: does not resolve
    x/add3.ts: does not resolve
    pulled/x/base.ts: resolves
    "#);
}

fn claimant() -> impl Strategy<Value = String> {
    let state = prop::sample::select(vec![
        "Indexed",
        "Indexed add-on",
        "Indexed attempted=s2 degraded=registry",
        "BundleBuildFailed attempted=s1",
        "BundleBuildFailed attempted=s1 rejected-before",
        "ValidationFailed",
        "EntryPointUnreadable",
        "OrphanedBundleOnly",
    ]);
    let origin = prop::sample::select(vec!["local", "mounted", "pulled"]);
    let name = prop::sample::select(vec!["@acme/one", "@acme/two"]);
    (state, origin, name).prop_map(|(state, origin, name)| format!("{state} origin={origin} type={name}"))
}

proptest! {
    /// Fault 13: who wins depends neither on order nor on who won before.
    #[test]
    fn fault_13_claims_are_order_free_with_at_most_one_winner(
        states in prop::collection::vec(claimant(), 1..8),
        order in Just((0..8_usize).collect::<Vec<_>>()).prop_shuffle(),
    ) {
        let text: Vec<String> =
            states.iter().enumerate().map(|(index, words)| format!("x/{index}.ts: {words}")).collect();
        let mut rows = rows(&text.join("\n"));
        let claims = resolve(&rows);
        let shuffled: Vec<&Row> = order.iter().filter_map(|index| rows.get(*index)).collect();
        prop_assert_eq!(&resolve(shuffled), &claims);
        for row in &mut rows {
            claims.mark(row);
        }
        prop_assert_eq!(&resolve(&rows), &claims, "marks of before do not matter");
        for name in ["@acme/one", "@acme/two"] {
            let claims_it = |row: &&Row| row.type_name().is_some_and(|known| known.as_str() == name);
            let winners = rows.iter().filter(claims_it).filter(|row| row.is_resolvable()).count();
            prop_assert!(winners <= 1);
            let could = |row: &&Row| row.state.name() == StateName::Indexed && !row.is_add_on();
            let blocks = |row: &&Row| row.state.name() == StateName::ValidationFailed || !row.rejected_before.is_empty();
            let has_candidate = rows.iter().filter(claims_it).any(|row| could(&row));
            let is_blocked = rows.iter().filter(claims_it).any(|row| blocks(&row));
            prop_assert!(winners == 1 || !has_candidate || is_blocked);
        }
        for (loser, head) in &claims.shadowed_by {
            prop_assert!(!claims.shadowed_by.contains_key(head), "the head of {loser} is itself shadowed");
        }
    }

    /// A row that takes a type over, or gives it away, never leaves two winners or none.
    #[test]
    fn swaps_leave_one_winner(first in claimant(), second in claimant(), third in claimant()) {
        let before = rows(&format!("x/a.ts: {first}\nx/b.ts: {second}"));
        let after = rows(&format!("x/a.ts: {third}\nx/b.ts: {second}"));
        for mut rows in [before, after] {
            let claims = resolve(&rows);
            for row in &mut rows {
                claims.mark(row);
            }
            for name in ["@acme/one", "@acme/two"] {
                let wins = |row: &&Row| row.is_resolvable() && row.type_name().is_some_and(|known| known.as_str() == name);
                prop_assert!(rows.iter().filter(wins).count() <= 1);
            }
        }
    }
}
