//! The published snapshot.

use std::sync::Arc;

use mangrove_domain::{claims, index::TypeIndex, row::Row, type_name::TypeName};

use crate::{
    notation::{model, row_at},
    world::kind,
};

fn name(text: &str) -> TypeName {
    TypeName::model(text).unwrap()
}

fn index(rows: &[(&str, &str)]) -> TypeIndex {
    let mut rows: Vec<Row> = rows.iter().filter_map(|(path, words)| row_at(path, words)).collect();
    let claims = claims::resolve(&rows);
    for row in &mut rows {
        claims.mark(row);
    }
    TypeIndex::build(rows.into_iter().map(Arc::new))
}

fn paths(rows: &[Arc<Row>]) -> Vec<&str> {
    rows.iter().map(|row| row.source.path.as_str()).collect()
}

#[test]
fn resolves_by_kind_and_name() {
    let index = index(&[("a.ts", "Indexed"), ("b.ts", "Indexed origin=pulled"), ("c.ts", "Indexed type=@acme/other")]);
    assert_eq!(index.resolve(&model(), &name("@acme/dns")).map(|row| row.source.path.as_str()), Some("a.ts"));
    assert_eq!(index.resolve(&kind("vault"), &name("@acme/dns")), None);
    assert_eq!(index.resolve(&model(), &name("@acme/unknown")), None);
    assert_eq!(paths(&index.claimants(&model(), &name("@acme/dns"))), ["a.ts", "b.ts"]);
    assert_eq!(index.rows().map(|row| row.source.path.as_str()).collect::<Vec<_>>(), ["a.ts", "b.ts", "c.ts"]);
}

/// Fault 28: a failed row is found by the type that it claims.
#[test]
fn fault_28_failed_rows_are_found_by_their_claim() {
    let index = index(&[("a.ts", "BundleBuildFailed attempted=s1"), ("b.ts", "ValidationFailed origin=pulled")]);
    assert_eq!(index.resolve(&model(), &name("@acme/dns")), None);
    assert_eq!(paths(&index.claimants(&model(), &name("@acme/dns"))), ["a.ts", "b.ts"]);
}

/// Faults 24 and 26: add-ons belong to the same snapshot as their target, and broken ones are known, too.
#[test]
fn fault_26_add_ons_are_published_with_their_target() {
    let index =
        index(&[("a.ts", "Indexed"), ("b.ts", "Indexed add-on"), ("c.ts", "BundleBuildFailed attempted=s1 add-on")]);
    assert_eq!(index.resolve(&model(), &name("@acme/dns")).map(|row| row.source.path.as_str()), Some("a.ts"));
    assert_eq!(paths(&index.claimants(&model(), &name("@acme/dns"))), ["a.ts"]);
    assert_eq!(paths(&index.add_ons(&model(), &name("@acme/dns"))), ["b.ts"]);
    assert_eq!(paths(&index.broken_add_ons(&model(), &name("@acme/dns"))), ["c.ts"]);
}

#[test]
fn offers_near_names_that_can_be_types() {
    let index = index(&[
        ("a.ts", "Indexed type=@acme/dns"),
        ("b.ts", "Indexed type=@acme/dnz origin=pulled"),
        ("c.ts", "BundleBuildFailed attempted=s1 type=@acme/dn"),
        ("d.ts", "Indexed type=@acme/something-else"),
        ("e.ts", "Indexed add-on type=@acme/dna"),
    ]);
    let near = index.nearest(&model(), &name("@acme/dnss"));
    assert_eq!(near.iter().map(TypeName::as_str).collect::<Vec<_>>(), ["@acme/dns", "@acme/dn", "@acme/dnz"]);
    assert!(index.nearest(&kind("vault"), &name("@acme/dnss")).is_empty());
}

#[test]
fn rows_that_leave_are_not_published_as_types() {
    let index = index(&[("a.ts", "Tombstoned")]);
    assert!(index.claimants(&model(), &name("@acme/dns")).is_empty());
    assert_eq!(index.rows().len(), 1);
}
